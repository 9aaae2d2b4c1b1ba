# pages.tcl: HTML. Whatever comes from a person or the database goes through `html` or `esc`.
#
# VIEW, which every page gets, is a dict of user (dict id name, or {}), csrf and query.
namespace eval pages {}

proc pages::esc {text} {
    return [string map {& &amp; < &lt; > &gt; \" &quot; ' &#39;} $text]
}

# A template with %s for each value, which is escaped.
proc pages::html {template args} {
    return [format $template {*}[lmap value $args {esc $value}]]
}

proc pages::url {path args} {
    set pairs [lmap {name value} $args {
        if {$value eq {}} continue
        string cat $name = [escape_url $value]
    }]
    return $path[expr {[llength $pairs] ? "?[join $pairs &]" : ""}]
}

proc pages::escape_url {text} {
    set out {}
    foreach byte [split [encoding convertto utf-8 $text] {}] {
        append out [expr {[regexp {[A-Za-z0-9_.~-]} $byte] ? $byte : [format %%%02X [scan $byte %c]]}]
    }
    return $out
}

# -- the frame of every page -----------------------------------------------------------

proc pages::frame {view title content} {
    return [html {<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%s · Tracker</title>
<link rel="stylesheet" href="/style.css">
<link rel="icon" href="data:,">
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
} $title][bar $view]<main\ id="main">\n$content</main>\n</body>\n</html>\n
}

proc pages::bar {view} {
    return [html {<header class="bar">
<a class="brand" href="/">Tracker</a>
<form class="find" role="search" action="/search">
<input type="search" name="q" value="%s" placeholder="Search issues" aria-label="Search issues" maxlength="200">
</form>
<nav aria-label="Account">} [dict get $view query]][account $view]</nav>\n</header>\n
}

proc pages::account {view} {
    if {[dict get $view user] eq {}} {
        return {<a href="/login">Log in</a> <a class="button" href="/signup">Sign up</a>}
    }
    return [html {<span class="who">%s</span>
<form method="post" action="/logout">} [dict get $view user name]][hidden $view][html {<button class="plain">Log out</button></form>
<a class="button" href="/issues/new">New issue</a>}]
}

proc pages::hidden {view} {
    return [html {<input type="hidden" name="csrf" value="%s">} [dict get $view csrf]]
}

# -- small pieces ------------------------------------------------------------------------

proc pages::when {iso} {
    set shown [clock format [clock scan [string range $iso 0 18] -format %Y-%m-%dT%H:%M:%S -gmt 1] \
        -gmt 1 -format {%e %b %Y, %H:%M UTC}]
    return [html {<time datetime="%s">%s</time>} $iso [string trim $shown]]
}

proc pages::badge {state} {
    return [html {<span class="badge %s">%s</span>} $state [string totitle $state]]
}

proc pages::labels {names} {
    set out {}
    foreach name [lsort [split $names]] {
        append out [html { <a class="label" href="%s">%s</a>} [url / label $name] $name]
    }
    return $out
}

# The messages of a form that was refused; ERRORS is field -> sentence.
proc pages::problems {errors} {
    if {[dict size $errors] == 0} {
        return {}
    }
    set out {<div class="problems" role="alert"><p>Please mend this first:</p><ul>}
    dict for {field sentence} $errors {
        append out [html {<li><a href="#%s">%s</a></li>} $field $sentence]
    }
    return "$out</ul></div>\n"
}

# A labelled field with its hint and its error. KIND: text, password or area.
proc pages::field {form errors kind name label hint args} {
    set bad [dict exists $errors $name]
    set attributes [html { id="%s" name="%s"} $name $name]
    if {$hint ne {}} {
        append attributes [html { aria-describedby="%s-hint"} $name]
    }
    if {$bad} {
        append attributes { aria-invalid="true"}
    }
    foreach {attribute value} $args {
        append attributes [html { %s="%s"} $attribute $value]
    }
    set value [expr {[dict exists $form $name] && $kind ne "password" ? [dict get $form $name] : ""}]
    set out [html {<p class="field"><label for="%s">%s</label>} $name $label]
    if {$kind eq "area"} {
        # The first line break of a textarea is not part of its text.
        append out "<textarea$attributes>\n[esc $value]</textarea>"
    } else {
        append out "<input type=\"$kind\"$attributes[html { value="%s"} $value]>"
    }
    if {$hint ne {}} {
        append out [html {<small id="%s-hint">%s</small>} $name $hint]
    }
    return "$out</p>\n"
}

proc pages::pager {path page more args} {
    if {$page == 1 && !$more} {
        return {}
    }
    set out {<nav class="pager" aria-label="Pages">}
    if {$page > 1} {
        append out [html {<a rel="prev" href="%s">← Newer</a>} [url $path {*}$args page [expr {$page - 1}]]]
    }
    append out [html {<span>Page %s</span>} $page]
    if {$more} {
        append out [html {<a rel="next" href="%s">Older →</a>} [url $path {*}$args page [expr {$page + 1}]]]
    }
    return "$out</nav>\n"
}

proc pages::empty {title sentence} {
    return [html {<div class="empty"><h2>%s</h2><p>%s</p></div>
} $title $sentence]
}

# -- lists -------------------------------------------------------------------------------

proc pages::row {issue} {
    set id [dict get $issue id]
    set out [html {<li class="issue"><span class="dot %s" title="%s"></span><div>
<h3><a href="/issues/%s">%s</a></h3>} [dict get $issue state] [dict get $issue state] $id \
        [dict get $issue title]]
    append out [labels [dict get $issue labels]]
    if {[dict exists $issue excerpt]} {
        append out "\n<p class=\"excerpt\">[string map [list \x02 <mark> \x03 </mark>] \
            [esc [dict get $issue excerpt]]]</p>"
    }
    append out [html {
<p class="meta">#%s opened by %s on } $id [dict get $issue author]][when [dict get $issue created_at]]</p>
    append out </div>
    set comments [dict get $issue comments]
    if {$comments > 0} {
        append out [html {<a class="talk" href="/issues/%s#comments">%s comment%s</a>} $id $comments \
            [expr {$comments == 1 ? "" : "s"}]]
    }
    return $out</li>\n
}

proc pages::tab {state label chosen count} {
    return [html {<a href="%s"%s>%s <span class="count">%s</span></a>
} [url / state [expr {$state eq "open" ? "" : $state}] label $label] {} [string totitle $state] $count]
}

proc pages::issues {view issues counts state label page} {
    set heading [expr {$label eq {} ? "Issues" : "Issues labelled “$label”"}]
    set out "<div class=\"head\"><h1>[esc $heading]</h1>"
    if {$label ne {}} {
        append out { <a class="clear" href="/">Show all</a>}
    }
    append out "</div>\n<nav class=\"tabs\" aria-label=\"State\">\n"
    foreach one {open closed} {
        set tab [tab $one $label $state [dict get $counts $one]]
        if {$one eq $state} {
            set tab [string map {{<a } {<a aria-current="page" }} $tab]
        }
        append out $tab
    }
    append out </nav>\n
    if {[llength $issues]} {
        append out "<ul class=\"issues\">\n[join [lmap issue $issues {row $issue}] {}]</ul>\n"
    } elseif {$page > 1} {
        append out [empty "No more issues" "This page is past the end of the list."]
    } elseif {$state eq "open" && $label eq {}} {
        append out [empty "Nothing is open" "File the first issue, and it will show here."]
        append out {<p class="centre"><a class="button" href="/issues/new">New issue</a></p>}
    } else {
        append out [empty "Nothing here" "No $state issue matches."]
    }
    set more [expr {$page * $::store::page_size < [dict get $counts $state]}]
    append out [pager / $page $more state [expr {$state eq "open" ? {} : $state}] label $label]
    return [frame $view $heading $out]
}

proc pages::found {view text issues count page} {
    set out "<div class=\"head\"><h1>Search</h1></div>\n"
    if {$text eq {}} {
        append out [empty "What are you looking for?" "Type a few words into the search box above."]
    } elseif {$count == 0} {
        append out [empty "Nothing found" "No issue or comment holds all of: $text"]
    } else {
        append out [html {<p class="meta">%s issue%s for “%s”</p>
} $count [expr {$count == 1 ? "" : "s"}] $text]
        append out "<ul class=\"issues\">\n[join [lmap issue $issues {row $issue}] {}]</ul>\n"
    }
    append out [pager /search $page [expr {$page * $::store::page_size < $count}] q $text]
    return [frame $view "Search" $out]
}

# -- one issue ---------------------------------------------------------------------------

proc pages::post {author created body anchor} {
    if {$body eq {}} {
        set body_html {<p class="meta">No description was given.</p>}
    } else {
        set body_html [html {<div class="text">%s</div>} $body]
    }
    return [html {<article class="post" id="%s"><header><strong>%s</strong> wrote on } $anchor $author][when \
        $created]</header>$body_html</article>\n
}

proc pages::issue {view issue comments form errors} {
    set id [dict get $issue id]
    set user [dict get $view user]
    set mine [expr {$user ne {} && [dict get $user id] == [dict get $issue author_id]}]
    set out "<div class=\"head\"><h1>[esc [dict get $issue title]] "
    append out [html {<span class="number">#%s</span></h1>} $id]
    if {$mine} {
        append out [html { <a class="clear" href="/issues/%s/edit">Edit</a>} $id]
    }
    append out "</div>\n<p class=\"meta\">[badge [dict get $issue state]][labels [dict get $issue labels]]</p>\n"
    append out [post [dict get $issue author] [dict get $issue created_at] [dict get $issue body] issue]
    append out "<section id=\"comments\" aria-label=\"Comments\">\n"
    foreach comment $comments {
        append out [post [dict get $comment author] [dict get $comment created_at] \
            [dict get $comment body] c[dict get $comment id]]
    }
    append out </section>\n
    if {$user eq {}} {
        append out [html {<p class="empty"><a href="%s">Log in</a> to comment.</p>
} [url /login next /issues/$id]]
    } else {
        append out [problems $errors][answer_form $view $issue $form $errors]
    }
    return [frame $view "[dict get $issue title] (#$id)" $out]
}

proc pages::answer_form {view issue form errors} {
    set id [dict get $issue id]
    set other [expr {[dict get $issue state] eq "open" ? "closed" : "open"}]
    set word [expr {$other eq "closed" ? "Close issue" : "Reopen issue"}]
    set out [html {<form class="card" method="post" action="/issues/%s/comments">
} $id][hidden $view]
    append out [field $form $errors area body "Your comment" {} rows 5 maxlength 20000]
    append out [html {<p class="actions"><button class="button">Comment</button>
<button class="button quiet" name="state" value="%s" formaction="/issues/%s/state">%s</button></p>
</form>
} $other $id $word]
    return $out
}

proc pages::issue_form {view title action form errors} {
    set out [html {<div class="head"><h1>%s</h1></div>
} $title][problems $errors]
    append out [html {<form class="card" method="post" action="%s">
} $action][hidden $view]
    append out [field $form $errors text title Title {} maxlength 200 required required autofocus autofocus]
    append out [field $form $errors area body Description "Plain text. What happened, what did you expect?" \
        rows 10 maxlength 20000]
    append out [field $form $errors text labels Labels "Up to five words, for example: bug printing" maxlength 200]
    append out {<p class="actions"><button class="button">Save issue</button> <a href="/">Cancel</a></p>
</form>
}
    return [frame $view $title $out]
}

# -- accounts ------------------------------------------------------------------------------

proc pages::account_form {view kind form errors next} {
    set title [expr {$kind eq "signup" ? "Sign up" : "Log in"}]
    set out [html {<div class="narrow"><div class="head"><h1>%s</h1></div>
} $title][problems $errors]
    append out [html {<form class="card" method="post" action="/%s">
<input type="hidden" name="next" value="%s">} $kind $next][hidden $view]
    set hints [expr {$kind eq "signup"
        ? [list "Letters, digits, dots and hyphens." "At least 8 characters."] : [list {} {}]}]
    append out [field $form $errors text name Name [lindex $hints 0] maxlength 40 required required \
        autocomplete username autocapitalize none spellcheck false autofocus autofocus]
    append out [field $form $errors password password Password [lindex $hints 1] maxlength 200 \
        required required autocomplete [expr {$kind eq "signup" ? "new-password" : "current-password"}]]
    append out [html {<p class="actions"><button class="button">%s</button></p>
</form>
} $title]
    if {$kind eq "signup"} {
        append out [html {<p class="meta">You have an account? <a href="%s">Log in</a></p></div>
} [url /login next $next]]
    } else {
        append out [html {<p class="meta">No account yet? <a href="%s">Sign up</a></p></div>
} [url /signup next $next]]
    }
    return [frame $view $title $out]
}

# -- when it does not work -------------------------------------------------------------------

proc pages::trouble {view title sentence code} {
    set out [html {<div class="empty" role="alert"><h1>%s</h1><p>%s</p>} $title $sentence]
    if {$code ne {}} {
        append out [html {<p class="meta">Code: <code>%s</code></p>} $code]
    }
    return [frame $view $title "$out<p><a class=\"button\" href=\"/\">Go to the list</a></p></div>\n"]
}
