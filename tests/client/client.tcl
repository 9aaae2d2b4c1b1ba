# The focus of this file is what the client's tests share: the Tcl package, and a scripted server
# for what a real agent never does.

lappend auto_path $::build/tcl
package require via

testConstraint via [expr {[file executable $::build/viad] && [file executable $::build/via]}]
testConstraint native [file exists $::build/tcl/libtclvia.so]

# Evaluate BODY for each kind of connection, local and via, with ::mode set.
proc in_each_mode {body} {
    foreach ::mode {local via} {
        testConstraint mode [expr {$::mode eq "local" || [testConstraint via]}]
        uplevel #0 $body
    }
}

# Make this process an app: with a local folder, or with an agent, an add-on and an instance.
proc client_begin {} {
    if {$::mode eq "local"} {
        set ::env(VIA_LOCAL_DIR) [scratch data]
        return
    }
    via_root
    agent_start
    set ::deployed [deploy_app]
    client_environment http://[dict get [agent] listen] [dict get $::deployed token_file]
}

proc client_environment {url token_file} {
    set ::env(VARY_CONFIG_URL) $url
    set ::env(VARY_CONFIG_TOKEN_PATH) $token_file
}

proc client_end {} {
    foreach name {VARY_CONFIG_URL VARY_CONFIG_TOKEN_PATH VIA_AGENT_SOCKET VIA_LOCAL_DIR} {
        unset -nocomplain ::env($name)
    }
    if {$::mode eq "via"} { agent_stop }
}

# What BODY fails with: code and SQLite's name; ok when it does not.
proc failure {body} {
    if {![catch {uplevel 1 $body} message options]} { return ok }
    if {[lindex [dict get $options -errorcode] 0] ne "VIA"} { return $message }
    return [lrange [dict get $options -errorcode] 1 2]
}

# The return option -via of what BODY fails with: values of the keys given.
proc facts {body args} {
    if {![catch {uplevel 1 $body} message options]} { return ok }
    return [lmap key $args {dict get $options -via $key}]
}

# Start a scripted server: PLAN has an entry for each request, in order: an answer as bytes,
# {} for closing without one, `slow` for silence, or {renew FILE TOKEN ANSWER} for a token file that
# is replaced meanwhile. Returns dict channel port log; what came is in its log.
proc fake_start {plan} {
    set script [write_file [scratch fake] $::fake_script]
    set log [scratch requests]
    set port_file [scratch port]
    set channel [open |[list [info nameofexecutable] $script $log $port_file $plan 2>@stderr] w]
    wait_until { [file exists $port_file] && [regexp {^\d+\n} [set port [read_file $port_file]]] }
    return [dict create channel $channel port [string trim $port] log $log]
}

proc fake_stop {fake} {
    catch {exec kill {*}[pid [dict get $fake channel]]}
    catch {close [dict get $fake channel]}
}

# Requests that came: a list of {path token body}.
proc fake_requests {fake} { return [read_file [dict get $fake log]] }

# An answer of STATUS with BODY; more header lines in ARGS.
proc answer {status body args} {
    set bytes [encoding convertto utf-8 $body]
    return "HTTP/1.1 $status X\r\n[join [lmap line $args {string cat $line \r\n}] {}]Content-Length:\
[string length $bytes]\r\n\r\n$bytes"
}

set ::fake_script {
    lassign $argv log port_file plan
    set requests {}
    proc note {} {
        set out [open $::log.new w]
        puts -nonewline $out $::requests
        close $out
        file rename -force $::log.new $::log
    }
    proc accept {channel args} {
        chan configure $channel -translation binary -blocking 0
        set ::got($channel) {}
        chan event $channel readable [list more $channel]
    }
    proc more {channel} {
        append ::got($channel) [read $channel]
        if {[eof $channel]} {
            close $channel
            return
        }
        if {![regexp {^(.*?)\r\n\r\n(.*)$} $::got($channel) -> head body]} return
        regexp -nocase {content-length: (\d+)} $head -> length
        if {[string length $body] < $length} return
        set ::got($channel) {}
        regexp {^\S+ (\S+)} $head -> path
        regexp {Bearer (\S+)} $head -> token
        lappend ::requests [list $path $token $body]
        note
        set ::plan [lassign $::plan step]
        if {$step eq "slow"} return
        if {[string match "renew *" $step]} {
            lassign $step - path token step
            set out [open $path.new w]
            puts $out $token
            close $out
            file rename -force $path.new $path
        }
        if {$step eq {}} {
            close $channel
            return
        }
        puts -nonewline $channel $step
        flush $channel
        if {[regexp {(?i)connection: close} $step]} { close $channel }
    }
    note
    set listener [socket -server accept -myaddr 127.0.0.1 0]
    set out [open $port_file w]
    puts $out [lindex [chan configure $listener -sockname] 2]
    close $out
    vwait forever
}
