# The focus of this file is what the tracker's tests share: the app as a real process, with Via and
# without it, and a visitor who reads pages and sends forms.
#
# Modes: local (a file of its own) and via (an agent, a deploy, `via run`). Tests are written once
# and run in each mode through `in_each_mode`.

namespace eval app {
    variable running {}     ;# channel of the app's process
    variable port 0
    variable log {}
    variable mode {}
}

testConstraint via [expr {[file executable $::build/viad] && [file executable $::build/via]}]
testConstraint browser [expr {[auto_execok chromium] ne {}}]

# Evaluate BODY once for `local` and once for `via`, with ::mode set and test names' suffix in it.
proc in_each_mode {body} {
    foreach ::mode {local via} {
        testConstraint mode [expr {$::mode eq "local" || [testConstraint via]}]
        uplevel #0 $body
    }
}

# A fresh place for the app's data in ::mode, and the app running on it.
proc app_begin {} {
    if {$::mode eq "local"} {
        set ::env(VIA_LOCAL_DIR) [scratch data]
    } else {
        via_root
        agent_start
        cli addon create sqlite tracker-db --app tracker --bind DATABASE
        vary app deploy tracker
    }
    app_start
}

# Start the app on the data that is there; ready for requests.
proc app_start {} {
    set app::log [scratch log]
    set command [list tclsh $::top/tcl/tracker/main.tcl --port 0]
    set wrap {}
    if {$::mode eq "via"} {
        # As root the launcher wants a user to be named.
        set wrap [list $::build/via run tracker --user [exec id -un] --]
    }
    set saved [expr {[info exists ::env(TCLLIBPATH)] ? $::env(TCLLIBPATH) : ""}]
    set ::env(TCLLIBPATH) $::build/tcl
    set app::running [open |[list {*}$wrap {*}$command >& $app::log] w]
    set ::env(TCLLIBPATH) $saved
    set found 0
    wait_until {
        [set found [regexp {listening on http://[^:]+:(\d+)/} [read_file $app::log] -> app::port]]
        || ![alive [pid $app::running]]
    } 20000
    if {!$found} {
        set text [read_file $app::log]
        app_stop
        error "the app did not start: $text"
    }
}

proc app_stop {} {
    if {$app::running eq {}} return
    set pid [pid $app::running]
    catch {exec kill -TERM $pid}
    if {![wait_until {![alive $pid]}]} {
        catch {exec kill -KILL $pid}
    }
    catch {close $app::running}
    set app::running {}
}

proc app_end {} {
    app_stop
    if {$::mode eq "via" && [dict exists $::harness::agents $::env(VIA_STATE_DIR)]} {
        agent_stop
    }
    unset -nocomplain ::env(VIA_LOCAL_DIR)
}

# A visitor's cookies live in a file; one request: dict status body location.
proc visitor {} { return [scratch jar] }

proc visit {jar method path args} {
    set out [scratch page]
    set command [list curl -sS --max-time 30 -b $jar -c $jar -o $out -w "%{http_code} %{redirect_url}"]
    if {$method eq "POST"} {
        lappend command -X POST
        foreach {name value} $args {
            set file [write_file [scratch field] $value]
            lappend command --data-urlencode $name@$file
        }
        if {$args eq {}} { lappend command -d {} }
    }
    set said [try_exec {*}$command http://127.0.0.1:$app::port$path]
    if {[dict get $said status] ne "0"} {
        error "no answer: [dict get $said err]"
    }
    regexp {^(\d+) (.*)$} [dict get $said out] -> status location
    regsub {^http://[^/]+} $location {} location
    return [dict create status $status location $location \
        body [expr {[file exists $out] ? [read_file $out] : ""}]]
}

# Open the form at FORM, fill in the fields, send it to ACTION.
proc send {jar form action args} {
    set page [dict get [visit $jar GET $form] body]
    if {![regexp {name="csrf" value="([0-9a-f]+)"} $page -> csrf]} {
        error "there is no form at $form"
    }
    return [visit $jar POST $action csrf $csrf {*}$args]
}

proc status_of {answer} { return [dict get $answer status] }
proc body_of {answer} { return [dict get $answer body] }

# Sign up and be logged in.
proc sign_up {jar name {password {correct horse}}} {
    return [send $jar /signup /signup name $name password $password]
}

# File an issue: its number.
proc file_issue {jar title {body {}} {labels {}}} {
    set answer [send $jar /issues/new /issues title $title body $body labels $labels]
    if {![regexp {^/issues/(\d+)$} [dict get $answer location] -> id]} {
        error "the issue was not filed: [dict get $answer status]"
    }
    return $id
}

# What a page says, without markup, blanks folded.
proc words {html} {
    regsub -all {<[^>]*>} $html { } text
    set text [string map {&lt; < &gt; > &quot; \" &#39; ' &amp; &} $text]
    return [string trim [regsub -all {\s+} $text { }]]
}
