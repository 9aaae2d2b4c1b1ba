# routes.tcl: which request does what: sessions, validation, and answers for what goes wrong.
namespace eval routes {
    # method, path pattern, whether a login is needed, procedure; groups of the pattern are arguments.
    variable table {
        GET  {^/$}                        0 home
        GET  {^/search$}                  0 search
        GET  {^/issues/new$}              1 new_issue
        POST {^/issues$}                  1 add_issue
        GET  {^/issues/([1-9]\d{0,17})$}          0 issue
        GET  {^/issues/([1-9]\d{0,17})/edit$}     1 edit_issue
        POST {^/issues/([1-9]\d{0,17})/edit$}     1 save_issue
        POST {^/issues/([1-9]\d{0,17})/comments$} 1 add_comment
        POST {^/issues/([1-9]\d{0,17})/state$}    1 set_state
        GET  {^/signup$}                  0 signup_form
        POST {^/signup$}                  0 signup
        GET  {^/login$}                   0 login_form
        POST {^/login$}                   0 login
        POST {^/logout$}                  0 logout
        GET  {^/style\.css$}              0 style
    }
    variable failures {}    ;# name -> list of the last failed logins' times, s
    variable style {}
    variable here [file dirname [file normalize [info script]]]

    # Codes after which the same request may simply work a little later.
    variable passing {agent_unreachable database_busy overloaded shutting_down addon_draining
        statement_timeout control_busy}
}

# -- the way of every request ------------------------------------------------------------

# The server's application: never raises.
proc routes::answer {request} {
    set visitor [visitor $request]
    set view [dict create user {} csrf [password::digest "form:$visitor"] query {} visitor $visitor]
    try {
        set answer [dispatch $request view]
    } trap VIA {message options} {
        set answer [refused $view $message $options]
    } trap HTTP {message options} {
        set status [lindex [dict get $options -errorcode] 1]
        set answer [page $status [pages::trouble $view $message [hint $status] {}]]
    } on error {message options} {
        set answer [broken $view $options]
    }
    if {[server::field [dict get $request cookies] tracker] ne $visitor
        && ![dict exists $answer cookie]} {
        dict set answer cookie $visitor
    }
    return [finish $answer]
}

proc routes::dispatch {request viewName} {
    variable table
    upvar 1 $viewName view
    set allowed {}
    foreach {method pattern login procedure} $table {
        set groups [regexp -inline $pattern [dict get $request path]]
        if {[llength $groups] == 0} continue
        if {$method ne [dict get $request method]} {
            lappend allowed $method
            continue
        }
        if {$procedure eq "style"} {
            return [style]
        }
        dict set view user [store::user_by_session [password::digest [dict get $view visitor]]]
        if {$method eq "POST" && [form $request csrf] ne [dict get $view csrf]} {
            throw {HTTP 403} "This form has expired"
        }
        if {$login && [dict get $view user] eq {}} {
            return [redirect [pages::url /login next \
                [expr {$method eq "GET" ? [dict get $request path] : "/"}]]]
        }
        return [$procedure $request $view {*}[lrange $groups 1 end]]
    }
    if {[llength $allowed]} {
        throw {HTTP 405} "That cannot be done here"
    }
    throw {HTTP 404} "There is no such page"
}

# Who is asking: the random text of the cookie, made up when there is none. Sessions and the
# forms' secret hang on it.
proc routes::visitor {request} {
    if {[dict exists $request cookies tracker]
        && [regexp {^[0-9a-f]{64}$} [dict get $request cookies tracker]]} {
        return [dict get $request cookies tracker]
    }
    return [password::token]
}

proc routes::finish {answer} {
    set headers {X-Content-Type-Options nosniff Referrer-Policy same-origin}
    lappend headers Content-Security-Policy "default-src 'none'; style-src 'self'; img-src data:;\
        form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    if {[dict exists $answer cookie]} {
        lappend headers Set-Cookie "tracker=[dict get $answer cookie]; Path=/; HttpOnly;\
            SameSite=Lax; Max-Age=[expr {$::store::session_days * 86400}]"
    }
    dict set answer headers [concat [dict get $answer headers] $headers]
    return $answer
}

proc routes::page {status body args} {
    return [dict create status $status body $body headers \
        [list Content-Type "text/html; charset=utf-8" Cache-Control no-store {*}$args]]
}

proc routes::redirect {path args} {
    return [dict merge [dict create status 303 body {} headers [list Location $path \
        Cache-Control no-store]] $args]
}

proc routes::style {} {
    variable style
    variable here
    if {$style eq {}} {
        set in [open [file join $here style.css]]
        chan configure $in -encoding utf-8
        set style [read $in]
        close $in
    }
    return [dict create status 200 body $style \
        headers {Content-Type "text/css; charset=utf-8" Cache-Control max-age=600}]
}

# -- when it does not work -----------------------------------------------------------------

proc routes::hint {status} {
    switch $status {
        403 { return "Open the page again, then send the form once more." }
        404 { return "The address may be wrong, or what was there is gone." }
        429 { return "Too many attempts failed. Wait a minute." }
    }
    return "Go back and try another way."
}

# The database is out of reach, or no longer ours.
proc routes::refused {view message options} {
    variable passing
    set code [lindex [dict get $options -errorcode] 1]
    if {[dict get $options -via http] == 400} {
        return [broken $view $options]
    }
    puts stderr "tracker: $code: $message"
    dict set view user {}
    if {$code in $passing || [dict get $options -via retryable]} {
        set wait [expr {max(2, [dict get $options -via retry_after])}]
        return [page 503 [pages::trouble $view "The database is out of reach for the moment" \
            "Nothing was lost. Please try again in a few seconds." $code] Retry-After $wait]
    }
    return [page 503 [pages::trouble $view "The database refuses this app" \
        "Nothing was lost. Whoever runs this tracker has to give it access again; then this page works as before." \
        $code] Retry-After 30]
}

proc routes::broken {view options} {
    puts stderr "tracker: [dict get $options -errorinfo]"
    return [page 500 [pages::trouble $view "Something went wrong" \
        "This is a fault of the tracker. It has been written to its log." internal_error]]
}

# -- input -----------------------------------------------------------------------------------

# A form's field without control characters, line ends as \n.
proc routes::form {request name} {
    return [clean [server::field [dict get $request form] $name]]
}

proc routes::clean {text} {
    regsub -all {\r\n?} $text \n text
    regsub -all {[\u0000-\u0008\u000b-\u001f\u007f\ufffe\uffff]} $text {} text
    return [string trim $text]
}

proc routes::query {request name} {
    return [string map {\n { }} [clean [server::field [dict get $request query] $name]]]
}

proc routes::page_number {request} {
    set page [query $request page]
    return [expr {[regexp {^[1-9]\d{0,5}$} $page] ? $page : 1}]
}

# A path of our own to go to next; anything else is the list.
proc routes::next {path} {
    return [expr {[regexp {^/(?!/)[A-Za-z0-9/?=&_.-]*$} $path] ? $path : "/"}]
}

# {title body labels} out of a form, and in the variable ERRORS what is wrong with them.
proc routes::issue_fields {request errorsName} {
    upvar 1 $errorsName errors
    set errors {}
    set title [string map {\n { }} [form $request title]]
    set labels [lsort -unique [regexp -all -inline {[^\s,]+} [string tolower [form $request labels]]]]
    if {$title eq {}} {
        dict set errors title "An issue needs a title."
    } elseif {[string length $title] > 200} {
        dict set errors title "A title has at most 200 characters."
    }
    if {[string length [form $request body]] > 20000} {
        dict set errors body "A description has at most 20,000 characters."
    }
    if {[llength $labels] > 5} {
        dict set errors labels "An issue has at most five labels."
    } elseif {[llength [lsearch -all -not -regexp $labels {^[a-z0-9][a-z0-9-]{0,29}$}]]} {
        dict set errors labels "A label is made of letters, digits and hyphens, 30 at most."
    }
    return [dict create title $title body [form $request body] labels [join $labels]]
}

proc routes::find_issue {id} {
    set issue [store::issue $id]
    if {$issue eq {}} {
        throw {HTTP 404} "There is no issue #$id"
    }
    return $issue
}

# -- issues ------------------------------------------------------------------------------------

proc routes::home {request view} {
    set state [expr {[query $request state] eq "closed" ? "closed" : "open"}]
    set label [query $request label]
    set page [page_number $request]
    return [page 200 [pages::issues $view [store::issues $state $label $page] \
        [store::counts $label] $state $label $page]]
}

proc routes::search {request view} {
    set text [string range [query $request q] 0 199]
    set page [page_number $request]
    dict set view query $text
    return [page 200 [pages::found $view $text [store::search $text $page] \
        [store::search_count $text] $page]]
}

proc routes::new_issue {request view} {
    return [page 200 [pages::issue_form $view "New issue" /issues {} {}]]
}

proc routes::add_issue {request view} {
    set fields [issue_fields $request errors]
    if {[dict size $errors]} {
        return [page 422 [pages::issue_form $view "New issue" /issues $fields $errors]]
    }
    dict with fields {
        return [redirect /issues/[store::add_issue [dict get $view user id] $title $body $labels]]
    }
}

proc routes::issue {request view id} {
    return [page 200 [pages::issue $view [find_issue $id] [store::comments $id] {} {}]]
}

# The issue, if it is the visitor's own to edit.
proc routes::own_issue {view id} {
    set issue [find_issue $id]
    if {[dict get $issue author_id] != [dict get $view user id]} {
        throw {HTTP 403} "Only its author can edit an issue"
    }
    return $issue
}

proc routes::edit_issue {request view id} {
    return [page 200 [pages::issue_form $view "Edit issue #$id" /issues/$id/edit [own_issue $view $id] {}]]
}

proc routes::save_issue {request view id} {
    own_issue $view $id
    set fields [issue_fields $request errors]
    if {[dict size $errors]} {
        return [page 422 [pages::issue_form $view "Edit issue #$id" /issues/$id/edit $fields $errors]]
    }
    dict with fields {
        store::edit_issue $id $title $body $labels
    }
    return [redirect /issues/$id]
}

proc routes::add_comment {request view id} {
    set issue [find_issue $id]
    set body [form $request body]
    set errors {}
    if {$body eq {}} {
        dict set errors body "A comment needs some words."
    } elseif {[string length $body] > 20000} {
        dict set errors body "A comment has at most 20,000 characters."
    }
    if {[dict size $errors]} {
        return [page 422 [pages::issue $view $issue [store::comments $id] \
            [dict create body $body] $errors]]
    }
    return [redirect /issues/$id#c[store::add_comment $id [dict get $view user id] $body]]
}

# Close or reopen; a comment typed beside the button is kept.
proc routes::set_state {request view id} {
    find_issue $id
    set state [form $request state]
    if {$state ni {open closed}} {
        throw {HTTP 400} "An issue is open or closed"
    }
    set body [string range [form $request body] 0 19999]
    if {$body ne {}} {
        store::add_comment $id [dict get $view user id] $body
    }
    store::set_state $id $state
    return [redirect /issues/$id]
}

# -- accounts ------------------------------------------------------------------------------------

proc routes::signup_form {request view} {
    return [page 200 [pages::account_form $view signup {} {} [next [query $request next]]]]
}

proc routes::signup {request view} {
    set name [form $request name]
    set secret [server::field [dict get $request form] password]
    set errors {}
    if {![regexp {^[[:alnum:]][[:alnum:].-]{0,39}$} $name]} {
        dict set errors name "A name is made of letters, digits, dots and hyphens, 40 at most."
    }
    if {[string length $secret] < 8 || [string length $secret] > 200} {
        dict set errors password "A password has 8 to 200 characters."
    } elseif {[string first \x00 $secret] >= 0} {
        dict set errors password "A password holds no NUL character."
    }
    if {[dict size $errors] == 0} {
        set id [store::add_user $name [password::hash $secret]]
        if {$id != 0} {
            return [enter $id [form $request next]]
        }
        dict set errors name "The name $name is taken; choose another."
    }
    return [page 422 [pages::account_form $view signup [dict create name $name] $errors \
        [next [form $request next]]]]
}

proc routes::login_form {request view} {
    return [page 200 [pages::account_form $view login {} {} [next [query $request next]]]]
}

proc routes::login {request view} {
    set name [form $request name]
    throttle $name
    set user [store::user_by_name $name]
    set secret [server::field [dict get $request form] password]
    # An unknown name costs as much time as a wrong password.
    set hash [expr {$user eq {} ? {$y$j9T$0123456789abcdef$} : [dict get $user password]}]
    if {[string length $secret] <= 200 && [string first \x00 $secret] < 0
        && [password::matches $secret $hash] && $user ne {}} {
        forgive $name
        return [enter [dict get $user id] [form $request next]]
    }
    note_failure $name
    return [page 422 [pages::account_form $view login [dict create name $name] \
        [dict create name "This name and password do not belong together."] \
        [next [form $request next]]]]
}

# A new cookie with a session on it, so that one known before the login opens nothing.
proc routes::enter {user next} {
    set token [password::token]
    store::add_session [password::digest $token] $user
    return [redirect [next $next] cookie $token]
}

proc routes::logout {request view} {
    store::remove_session [password::digest [dict get $view visitor]]
    return [redirect / cookie [password::token]]
}

# Five failed logins for one name within a minute, then that name waits.
proc routes::throttle {name} {
    variable failures
    set key [string tolower $name]
    set recent [expr {[dict exists $failures $key] ? [dict get $failures $key] : {}}]
    if {[llength $recent] >= 5 && [clock seconds] - [lindex $recent end-4] < 60} {
        throw {HTTP 429} "Please wait a little"
    }
}

proc routes::note_failure {name} {
    variable failures
    if {[dict size $failures] > 10000} {
        set failures {}
    }
    set key [string tolower $name]
    dict lappend failures $key [clock seconds]
    dict set failures $key [lrange [dict get $failures $key] end-4 end]
}

proc routes::forgive {name} {
    variable failures
    dict unset failures [string tolower $name]
}
