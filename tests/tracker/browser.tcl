# The focus of this file is a real browser: headless Chromium driven over the W3C WebDriver protocol.

package require http
package require json

testConstraint browser [expr {[auto_execok chromedriver] ne {} && [auto_execok chromium] ne {}}]

namespace eval browser {
    variable channel {}
    variable base {}     ;# http://127.0.0.1:PORT/session/ID
    variable profile {}
    variable element element-6066-11e4-a52e-4f735466cecf
}

# Start driver and browser, with a fresh profile.
proc browser_open {} {
    set log [scratch driver]
    set browser::profile [scratch profile]
    set browser::channel [open |[list [lindex [auto_execok chromedriver] 0] --port=0 >& $log] w]
    if {![wait_until {[regexp {started successfully on port (\d+)} [read_file $log] -> port]}]} {
        error "chromedriver did not start: [read_file $log]"
    }
    set flags [list --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
        --disable-dev-shm-usage --disable-background-networking --disable-component-update \
        --disable-sync --window-size=1000,800 --user-data-dir=$browser::profile]
    set browser::base http://127.0.0.1:$port/session
    set answer [browser_call POST {} "{\"capabilities\":{\"alwaysMatch\":{\"browserName\":\"chrome\",
        \"goog:chromeOptions\":{\"binary\":[json_text [lindex [auto_execok chromium] 0]],
        \"args\":\[[join [lmap flag $flags {json_text $flag}] ,]\]}}}}"]
    append browser::base /[dict get $answer sessionId]
}

proc browser_close {} {
    catch {browser_call DELETE {} {}}
    catch {exec kill -TERM {*}[pid $browser::channel]}
    catch {close $browser::channel}
}

# One command: the member `value` of its answer. Throws what the driver says.
proc browser_call {method path body} {
    set options [list -method $method -timeout [expr {60000 * $::slower}]]
    if {$method eq "POST"} {
        lappend options -type "application/json; charset=utf-8" -query [encoding convertto utf-8 $body]
    }
    set token [http::geturl $browser::base$path {*}$options]
    set status [http::ncode $token]
    set data [http::data $token]
    http::cleanup $token
    if {$status eq {}} {
        error "the browser did not answer"
    }
    set value [dict get [json::json2dict $data] value]
    if {$status != 200} {
        error "browser: [dict get $value error]: [dict get $value message]"
    }
    return $value
}

proc browser_go {path} {
    browser_call POST /url "{[json_member url http://127.0.0.1:$app::port$path]}"
}

# The element that a CSS selector finds, as a path; waits for one, since a key may lead elsewhere.
proc browser_find {selector} {
    set found {}
    wait_until {
        [llength [set found [browser_call POST /elements \
            "{[json_member using {css selector}], [json_member value $selector]}"]]]
    }
    if {$found eq {}} {
        error "the page has no $selector: [browser_title]"
    }
    return /element/[dict get [lindex $found 0] $browser::element]
}

proc browser_type {selector text} {
    browser_call POST [browser_find $selector]/value "{[json_member text $text]}"
}

proc browser_click {selector} { browser_call POST [browser_find $selector]/click "{}" }
proc browser_text {{selector main}} { browser_call GET [browser_find $selector]/text {} }
proc browser_title {} { browser_call GET /title {} }

# Evaluate JavaScript, for what a person sees without reading: sizes, colours.
proc browser_eval {script} {
    browser_call POST /execute/sync "{[json_member script $script], \"args\": \[\]}"
}
