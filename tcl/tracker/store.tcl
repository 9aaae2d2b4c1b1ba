# store.tcl: all of the tracker's SQL. Knows no HTML and no HTTP; errors of the database pass through.
namespace eval store {
    variable db {}
    variable page_size 20
    variable session_days 30
    variable now {strftime('%Y-%m-%dT%H:%M:%fZ', 'now')}
}

proc store::open {} {
    variable db
    set db [via::sql connect_managed DATABASE [schema::managed]]
}

# -- users and sessions --------------------------------------------------------------

# The new user's id; 0 when the name is taken.
proc store::add_user {name hash} {
    variable db
    variable now
    try {
        set done [$db execute "INSERT INTO users(name, password, created_at) VALUES (?, ?, $now)" \
            [list $name $hash]]
    } trap {VIA sql_error SQLITE_CONSTRAINT_UNIQUE} {} {
        return 0
    }
    return [dict get $done last_insert_rowid]
}

# dict id name password; {} when there is none.
proc store::user_by_name {name} {
    variable db
    return [lindex [$db query {SELECT id, name, password FROM users WHERE name = ?} [list $name]] 0]
}

# Also clears away the sessions that have run out.
proc store::add_session {digest user} {
    variable db
    variable now
    variable session_days
    $db execute "DELETE FROM sessions WHERE expires_at < $now"
    $db execute "INSERT INTO sessions(digest, user_id, expires_at)
        VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+$session_days days'))" \
        [list $digest $user]
}

proc store::remove_session {digest} {
    variable db
    $db execute {DELETE FROM sessions WHERE digest = ?} [list $digest]
}

# dict id name of the user whose session it is; {} when there is none.
proc store::user_by_session {digest} {
    variable db
    variable now
    return [lindex [$db query "SELECT u.id, u.name FROM sessions s JOIN users u ON u.id = s.user_id
        WHERE s.digest = ? AND s.expires_at > $now" [list $digest]] 0]
}

# -- issues --------------------------------------------------------------------------

# What a list shows of an issue.
proc store::summary {} {
    return {i.id, i.title, i.state, i.created_at, u.name AS author,
        (SELECT count(*) FROM comments c WHERE c.issue_id = i.id) AS comments,
        coalesce((SELECT group_concat(name, ' ') FROM labels l WHERE l.issue_id = i.id), '') AS labels}
}

# One page of issues, newest first. LABEL {} means any.
proc store::issues {state label page} {
    variable db
    variable page_size
    if {$label eq {}} {
        return [$db query "SELECT [summary] FROM issues i JOIN users u ON u.id = i.author_id
            WHERE i.state = ? ORDER BY i.id DESC LIMIT ? OFFSET ?" \
            [list $state $page_size [expr {($page - 1) * $page_size}]]]
    }
    return [$db query "SELECT [summary] FROM labels x JOIN issues i ON i.id = x.issue_id
        JOIN users u ON u.id = i.author_id
        WHERE x.name = ? AND i.state = ? ORDER BY i.id DESC LIMIT ? OFFSET ?" \
        [list $label $state $page_size [expr {($page - 1) * $page_size}]]]
}

# dict open N closed N
proc store::counts {label} {
    variable db
    set counts [dict create open 0 closed 0]
    if {$label eq {}} {
        set rows [$db rows {SELECT state, count(*) FROM issues GROUP BY state}]
    } else {
        set rows [$db rows {SELECT i.state, count(*) FROM labels x JOIN issues i ON i.id = x.issue_id
            WHERE x.name = ? GROUP BY i.state} [list $label]]
    }
    foreach row $rows {
        dict set counts {*}$row
    }
    return $counts
}

# dict id title body state created_at author author_id labels; {} when there is none.
proc store::issue {id} {
    variable db
    return [lindex [$db query "SELECT [summary], i.body, i.author_id FROM issues i
        JOIN users u ON u.id = i.author_id WHERE i.id = ?" [list $id]] 0]
}

proc store::comments {issue} {
    variable db
    return [$db query {SELECT c.id, c.body, c.created_at, u.name AS author FROM comments c
        JOIN users u ON u.id = c.author_id WHERE c.issue_id = ? ORDER BY c.id} [list $issue]]
}

proc store::add_issue {author title body labels} {
    variable db
    variable now
    set done [$db execute "INSERT INTO issues(author_id, title, body, created_at, updated_at)
        VALUES (?, ?, ?, $now, $now)" [list $author $title $body]]
    set id [dict get $done last_insert_rowid]
    put_labels $id $labels
    return $id
}

proc store::edit_issue {id title body labels} {
    variable db
    variable now
    $db execute "UPDATE issues SET title = ?, body = ?, updated_at = $now WHERE id = ?" \
        [list $title $body $id]
    put_labels $id $labels
}

# Exactly LABELS, in one statement each way: what goes, what comes.
proc store::put_labels {id labels} {
    variable db
    set wanted [json_list $labels]
    $db execute {DELETE FROM labels WHERE issue_id = ? AND name NOT IN (SELECT value FROM json_each(?))} \
        [list $id $wanted]
    $db execute {INSERT OR IGNORE INTO labels(issue_id, name) SELECT ?, value FROM json_each(?)} \
        [list $id $wanted]
}

# Labels need no escapes: letters, digits and hyphens.
proc store::json_list {words} {
    return "\[[join [lmap word $words {format {"%s"} $word}] ,]\]"
}

proc store::set_state {id state} {
    variable db
    variable now
    $db execute "UPDATE issues SET state = ?, updated_at = $now WHERE id = ?" [list $state $id]
}

proc store::add_comment {issue author body} {
    variable db
    variable now
    set done [$db execute "INSERT INTO comments(issue_id, author_id, body, created_at)
        VALUES (?, ?, ?, $now)" [list $issue $author $body]]
    return [dict get $done last_insert_rowid]
}

# Bring the full-text index up to date with what the triggers noted. One transaction, which finds
# the same work again if it was cut short.
proc store::index {} {
    variable db
    if {![$db one {SELECT EXISTS (SELECT 1 FROM unindexed)}]} return
    $db setup {
        DELETE FROM issue_words WHERE rowid IN (SELECT issue_id FROM unindexed);
        INSERT INTO issue_words(rowid, title, body, talk)
            SELECT i.id, i.title, i.body,
                coalesce((SELECT group_concat(c.body, char(10)) FROM comments c WHERE c.issue_id = i.id), '')
            FROM unindexed n JOIN issues i ON i.id = n.issue_id;
        DELETE FROM unindexed;
    }
}

# -- search --------------------------------------------------------------------------

# Issues that hold every word of TEXT, the last one as a beginning; best first. In `excerpt`,
# U+0002 and U+0003 stand around what matched.
proc store::search {text page} {
    variable db
    variable page_size
    set match [match $text]
    if {$match eq {}} {
        return {}
    }
    index
    return [$db query "SELECT [summary], snippet(issue_words, -1, char(2), char(3), '…', 24) AS excerpt
        FROM issue_words JOIN issues i ON i.id = issue_words.rowid JOIN users u ON u.id = i.author_id
        WHERE issue_words MATCH ? ORDER BY bm25(issue_words, 8.0, 2.0, 1.0), i.id DESC
        LIMIT ? OFFSET ?" [list $match $page_size [expr {($page - 1) * $page_size}]]]
}

proc store::search_count {text} {
    variable db
    set match [match $text]
    if {$match eq {}} {
        return 0
    }
    return [$db one {SELECT count(*) FROM issue_words WHERE issue_words MATCH ?} [list $match]]
}

# A reader's words as a query of the full-text index: each quoted, so that none is an operator.
proc store::match {text} {
    set words [regexp -all -inline {[^\s"]+} $text]
    set words [lmap word $words {expr {[regexp {\w} $word] ? "\"$word\"" : [continue]}}]
    if {[llength $words] == 0} {
        return {}
    }
    return "[join [lrange $words 0 15] { }]*"
}
