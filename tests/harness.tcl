# The focus of this file is what every test shares: a fresh state root, the extension in the
# stock sqlite3 shell, the command line, the agent and an HTTP request. A test file says
#
#     package require tcltest
#     source [file join [file dirname [info script]] .. harness.tcl]
#     …
#     cleanupTests
#
# and whatever it started is ended, and whatever it made is removed, when it ends.

package require Tcl 8.6
package require tcltest 2.5
package require json
namespace import -force ::tcltest::*
source [file join [file dirname [info script]] folder.tcl]

tcltest::configure -verbose {body error} {*}$::argv
encoding system utf-8
fconfigure stdout -encoding utf-8

set ::top [file dirname [file dirname [file normalize [info script]]]]
set ::build [file normalize [expr {[info exists ::env(BUILD)] ? $::env(BUILD) : "$::top/build"}]]
set ::fixtures [file join $::top tests]
set ::env(BUILD) $::build

# tests/run preloads the sanitizer's runtime into this process alone; a browser must not get it.
unset -nocomplain ::env(LD_PRELOAD)
foreach name {VIA_STATE_DIR VARY_CONFIG_URL VARY_CONFIG_TOKEN_PATH VIA_AGENT_SOCKET SERVICE_BINDING_ROOT} {
    unset -nocomplain ::env($name)
}

namespace eval harness {
    variable scratch {}    ;# this file's folder; short, for socket paths end at 107 bytes
    variable count 0
    variable agents {}     ;# state root -> dict channel pid socket listen log
    variable sessions {}   ;# open sqlite3 shells
}

# -- files ----------------------------------------------------------------------

# The path of a new file or folder that this test file may make; nothing is there yet.
proc scratch {{stem f}} {
    variable harness::scratch
    variable harness::count
    if {$scratch eq {}} {
        set base [expr {[info exists ::env(VIA_TEST_TMP)] ? $::env(VIA_TEST_TMP) : "/tmp"}]
        set scratch [folder_make $base/via-]
    }
    return $scratch/$stem[incr count]
}

proc write_file {path text} {
    set out [open $path w]
    fconfigure $out -translation binary
    puts -nonewline $out [encoding convertto utf-8 $text]
    close $out
    return $path
}

proc read_file {path} {
    set in [open $path]
    fconfigure $in -translation binary
    set text [encoding convertfrom utf-8 [read $in]]
    close $in
    return $text
}

proc read_raw {path} {
    set in [open $path rb]
    set bytes [read $in]
    close $in
    return $bytes
}

proc write_raw {path bytes} {
    set out [open $path wb]
    puts -nonewline $out $bytes
    close $out
    return $path
}

# A fresh state root, not made yet, in VIA_STATE_DIR; returns its path.
proc via_root {} {
    return [set ::env(VIA_STATE_DIR) [scratch r]]
}

# tcltest lists what appears in its folder; the tree is not ours to watch.
file mkdir [set ::harness::tmpdir [scratch tmp]]
tcltest::configure -tmpdir $::harness::tmpdir

# -- processes ------------------------------------------------------------------

# Run a command to its end: dict status out err. Never throws for what the command does.
proc try_exec {args} {
    set err [scratch err]
    set status 0
    if {[catch {exec {*}$args 2> $err} out options]} {
        set code [dict get $options -errorcode]
        switch [lindex $code 0] {
            CHILDSTATUS { set status [lindex $code 2] }
            CHILDKILLED { set status [lindex $code 2] }
            NONE        { set status 0 }
            default     { error "cannot run [lindex $args 0]: $out" }
        }
        # exec adds its own sentence to what the child printed.
        regsub {\n?child (process exited abnormally|killed: .*)$} $out {} out
    }
    set text [expr {[file exists $err] ? [read_file $err] : {}}]
    file delete $err
    return [dict create status $status out $out err [string trimright $text \n]]
}

proc or_throw {what result} {
    if {[dict get $result status] ne "0"} {
        return -code error -errorcode [list CHILD [dict get $result status]] \
            [string trim "[dict get $result err]\n[dict get $result out]"]
    }
    return [dict get $result out]
}

# Statements on the extension, in the stock shell: what it prints. Throws its message.
proc sql {statement args} {
    or_throw sql [try_sql $statement {*}$args]
}

# As sql, but says dict status out err. Further arguments go to sqlite3 (-json, a file …).
proc try_sql {statement args} {
    set file :memory:
    set options {}
    foreach arg $args {
        if {[string match -* $arg]} { lappend options $arg } else { set file $arg }
    }
    set result [try_exec sqlite3 -batch -bail {*}$options -cmd ".load $::build/via" $file $statement]
    # The shell goes on after a .load that failed.
    if {[dict get $result status] eq "0" && [string match "Error: *" [dict get $result err]]} {
        dict set result status 1
    }
    return $result
}

# The code word of the error in `body`, or "ok": sql_code {sql "INSERT …"} -> addon_exists.
proc code_of {body} {
    if {![catch {uplevel 1 $body} message]} {
        return ok
    }
    if {[regexp {\m([a-z]+(?:_[a-z]+)+): } $message -> code]} {
        return $code
    }
    return $message
}

# The command line: stdout, or throws stderr. try_cli says dict status out err.
proc cli {args} { or_throw via [try_cli {*}$args] }
proc try_cli {args} { try_exec $::build/via {*}$args }
proc vary {args} { or_throw vary [try_vary {*}$args] }
proc try_vary {args} { try_exec $::build/vary {*}$args }

# Wait until `condition` (an expression in the caller's scope) holds; 0 when it never did.
proc wait_until {condition {ms 20000}} {
    set deadline [expr {[clock milliseconds] + $ms * $::slower}]
    while {![uplevel 1 [list expr $condition]]} {
        if {[clock milliseconds] > $deadline} { return 0 }
        after 20 [list set ::harness::tick 1]
        vwait ::harness::tick
    }
    return 1
}

# Leave others `ms` for what they have begun and nothing shows; an instrumented build is slower.
proc pause {ms} { after [expr {$ms * $::slower}] }

# Tests that become another user need what was built to lie where others reach it, not in a private home.
testConstraint others [expr {[exec id -u] eq "0" && [auto_execok setpriv] ne {} && ![catch {
    exec setpriv --reuid=65534 --regid=65534 --clear-groups test -x $::build/via -a -r $::build/via.so}]}]

# An instrumented build is allowed more patience.
set ::slower [expr {[info exists ::env(VIA_TEST_SLOWER)] ? $::env(VIA_TEST_SLOWER) : 1}]

# Is the process there, and not a zombie?
proc alive {pid} {
    if {[catch {read_file /proc/$pid/stat} stat]} { return 0 }
    return [expr {[lindex [string range $stat [string last ) $stat]+2 end] 0] ni {Z X}}]
}

proc kill9 {pid} { catch {exec kill -KILL $pid}; wait_until {![alive $pid]} }

# Run this file again in mounts of its own, which end with its process, however that ends; where
# that is not permitted, go on as it is.
proc own_mounts {} {
    if {[owns_mounts] || [catch {exec unshare -m true}]} return
    set ::env(VIA_TEST_OWN_MOUNTS) [pid]
    exit [catch {exec unshare -m tclsh [file normalize [info script]] {*}$::argv <@stdin >@stdout 2>@stderr}]
}
proc owns_mounts {} { info exists ::env(VIA_TEST_OWN_MOUNTS) }

# -- the agent ------------------------------------------------------------------

# Start an agent on VIA_STATE_DIR, ready for requests: dict pid socket listen log.
proc agent_start {args} {
    set root $::env(VIA_STATE_DIR)
    set log [scratch log]
    if {"--listen" ni $args} { lappend args --listen 127.0.0.1:0 }
    # The channel is the agent's stdin; closing it waits for the agent and tells its status.
    set channel [open |[list $::build/viad {*}$args >& $log] w]
    set pid [pid $channel]
    set ready {}
    wait_until {
        [regexp -line {^viad: ready socket=(\S+) listen=(\S+)$} [read_file $log] ready socket listen]
        || ![alive $pid]
    } 20000
    if {$ready eq {}} {
        catch {exec kill -KILL $pid}
        catch {close $channel}
        error "the agent did not start: [string trim [read_file $log]]"
    }
    set agent [dict create channel $channel pid $pid socket $socket listen $listen log $log \
        root $root]
    dict set ::harness::agents $root $agent
    return $agent
}

# The running agent of VIA_STATE_DIR, as agent_start returned it.
proc agent {} { dict get $::harness::agents $::env(VIA_STATE_DIR) }
proc agent_log {} { read_file [dict get [agent] log] }

# Ask the agent to end; its exit status. Kills it and throws when it does not within 15 s.
proc agent_stop {{signal TERM}} {
    set agent [agent]
    dict unset ::harness::agents $::env(VIA_STATE_DIR)
    set pid [dict get $agent pid]
    catch {exec kill -$signal $pid}
    if {![wait_until {![alive $pid]} 15000]} {
        catch {exec kill -KILL $pid}
        error "the agent did not end on SIG$signal: [read_file [dict get $agent log]]"
    }
    set status 0
    if {[catch {close [dict get $agent channel]} message options]} {
        set code [dict get $options -errorcode]
        if {[lindex $code 0] in {CHILDSTATUS CHILDKILLED}} { set status [lindex $code 2] }
    }
    return $status
}

# A request to the agent: {status body}. TCP when it listens there, `-unix` for the socket.
# Further options: -header {NAME VALUE …}, -raw (a body as bytes), -all (status body headers).
proc http {method path {token {}} {body {}} args} {
    set agent [agent]
    set command [list curl -sS --max-time 60 -X $method]
    set listen [dict get $agent listen]
    if {"-unix" in $args || $listen eq "none"} {
        lappend command --unix-socket [dict get $agent socket]
        set url http://localhost$path
    } else {
        set url http://$listen$path
    }
    if {$token ne {}} { lappend command -H "Authorization: Bearer $token" }
    set at [lsearch $args -header]
    if {$at >= 0} {
        foreach {name value} [lindex $args $at+1] { lappend command -H "$name: $value" }
    }
    if {$body ne {}} {
        set in [scratch body]
        if {"-raw" in $args} {
            set out [open $in wb]
            puts -nonewline $out $body
            close $out
        } else {
            write_file $in $body
        }
        if {$at < 0 || "Content-Type" ni [lindex $args $at+1]} {
            lappend command -H "Content-Type: application/json"
        }
        lappend command -H Expect: --data-binary @$in
    }
    set answer [scratch answer]
    set headers [scratch headers]
    set result [try_exec {*}$command -D $headers -o $answer -w %{http_code} $url]
    if {[dict get $result status] ne "0"} {
        error "no answer: [dict get $result err]"
    }
    set text [expr {[file exists $answer] ? [read_file $answer] : {}}]
    set heads [read_file $headers]
    file delete $answer $headers
    if {[info exists in]} { file delete $in }
    if {"-all" in $args} { return [list [dict get $result out] $text $heads] }
    return [list [dict get $result out] $text]
}

# One SQL operation as an app makes it: {status answer-as-dict}.
proc app_sql {operation token binding statement {params {}}} {
    set body "{[json_member binding $binding], [json_member sql $statement]"
    if {$params ne {}} { append body ", \"params\": $params" }
    lassign [http POST /v1/runtime/sql/$operation $token "$body}"] status answer
    return [list $status [json::json2dict $answer]]
}

proc json_member {name value} { return "[json_text $name]: [json_text $value]" }

proc json_text {value} {
    set text [string map [list \\ \\\\ \" \\\" \n \\n \r \\r \t \\t \b \\b \f \\f] $value]
    return \"$text\"
}

# -- an app with its database ----------------------------------------------------

# Make app, add-on, binding, deploy, instance and workload token:
# dict app addon addon_id release deploy instance token token_file.
# Options: -app -addon -binding -target -source.
proc deploy_app {args} {
    set o [dict merge {-app api -addon app-db -binding DATABASE -target {} -source {}} $args]
    foreach {name value} $o { set [string range $name 1 end] [quote $value] }
    set columns type,name,app,bind
    set values "'sqlite',$addon,$app,$binding"
    if {[dict get $o -source] ne {}} {
        append columns ,source
        append values ,$source
    }
    set out [sql "
        INSERT INTO via_addons($columns) VALUES($values);
        SELECT id FROM via_addons WHERE rowid=last_insert_rowid();
        INSERT INTO via_deploys(app,target) VALUES($app,$target);
        SELECT release||char(10)||id FROM via_deploys WHERE rowid=last_insert_rowid();"]
    lassign [split $out \n] addon_id release deploy
    return [dict merge [dict create app [dict get $o -app] addon [dict get $o -addon] \
        addon_id $addon_id release $release deploy $deploy] \
        [new_instance [dict get $o -app] [dict get $o -target]]]
}

# Register an instance of the newest deploy and mint its workload token: dict instance token token_file.
proc new_instance {app {target {}}} {
    set path [scratch token]
    set instance [sql "
        INSERT INTO via_instances(app,target,pid) VALUES([quote $app],[quote $target],[pid]);
        SELECT id FROM via_instances WHERE rowid=last_insert_rowid();"]
    sql "INSERT INTO via_tokens(kind,instance,path) VALUES('workload',[quote $instance],[quote $path])"
    return [dict create instance $instance token [string trim [read_file $path]] token_file $path]
}

# A generation token for a binding: the path of its file.
proc generation_token {instance {binding DATABASE}} {
    set path [scratch generation]
    sql "INSERT INTO via_tokens(kind,instance,binding,path)
         VALUES('generation',[quote $instance],[quote $binding],[quote $path])"
    return $path
}

# Make an add-on whose provisioning fails after the commit; its row stays, failed: its id.
proc failed_addon {name {app api}} {
    set folder $::env(VIA_STATE_DIR)/addons/sqlite
    set session [session_open]
    session_do $session "BEGIN; INSERT INTO via_addons(name,app) VALUES('$name','$app')"
    file rename $folder $folder.kept
    write_file $folder {}
    catch {session_do $session COMMIT}
    file delete $folder
    file rename $folder.kept $folder
    session_close $session
    return [sql "SELECT id FROM via_addons WHERE name='$name' AND state='failed'"]
}

# The URI that opens a binding through the guarded VFS, and statements run on it.
proc guarded_uri {token_file {binding DATABASE} {more {}}} {
    return "file:$binding?vfs=via&token_file=$token_file$more"
}

proc guarded {uri statement} {
    or_throw guarded [try_exec sqlite3 -batch -bail :memory: -cmd ".load $::build/via" \
        -cmd ".open '[string map {' ''} $uri]'" $statement]
}

proc quote {text} { return '[string map {' ''} $text]' }

# -- a shell that stays open -----------------------------------------------------

# Open an sqlite3 shell with the extension: a handle. session_do runs statements in it and
# returns what they print, or throws; transactions stay open between calls.
proc session_open {{file :memory:}} {
    set channel [open |[list sqlite3 -batch $file 2>@1] r+]
    fconfigure $channel -buffering line -encoding utf-8
    dict set ::harness::sessions $channel 1
    session_do $channel ".load $::build/via"
    return $channel
}

proc session_do {channel statement} {
    puts $channel "$statement\n;\n.print -- end of answer --"
    flush $channel
    set lines {}
    while {[gets $channel line] >= 0} {
        if {$line eq "-- end of answer --"} {
            set text [join $lines \n]
            if {[regexp -line {^(Error|Runtime error|Parse error)[ :]} $text]} { error $text }
            return $text
        }
        lappend lines $line
    }
    error "the shell ended: [join $lines \n]"
}

proc session_close {channel} {
    dict unset ::harness::sessions $channel
    catch {close $channel}
}

# -- the end --------------------------------------------------------------------

proc harness::end {} {
    variable agents
    variable sessions
    variable scratch
    foreach channel [dict keys $sessions] {
        catch {exec kill -KILL {*}[pid $channel]}
        catch {close $channel}
    }
    foreach {root agent} $agents {
        catch {exec kill -KILL [dict get $agent pid]}
    }
    set agents {}
    set sessions {}
    if {$scratch ne {} && ![info exists ::env(VIA_TEST_KEEP)]} {
        catch {file delete -force -- $scratch}
    }
}

rename exit harness::exit
proc exit {{code 0}} {
    harness::end
    harness::exit $code
}
