#!/usr/bin/env tclsh
# main.tcl: the tracker, a small issue tracker that keeps its data in the database bound as
# DATABASE: through Via under `via run`, in a local file otherwise.
#
#     tclsh main.tcl ?--host 127.0.0.1? ?--port 8080?
package require Tcl 8.6
encoding system utf-8

set here [file dirname [file normalize [info script]]]

# The package is where Tcl looks for packages (TCLLIBPATH), else in a build beside these sources, else
# the sources themselves, which serve a local file only.
if {[catch {package require via}]} {
    foreach folder [list [file join $here .. .. build tcl] [file join $here .. via]] {
        if {[file exists [file join $folder pkgIndex.tcl]]} {
            lappend auto_path [file normalize $folder]
            break
        }
    }
    package require via
}

foreach name {schema store password server pages routes} {
    source -encoding utf-8 [file join $here $name.tcl]
}

proc fail {status message} {
    puts stderr "tracker: $message"
    exit $status
}

# The command line, as a dict of its options.
proc options {words} {
    set options [dict create --host 127.0.0.1 --port 8080]
    foreach {name value} $words {
        if {![dict exists $options $name]} {
            fail 2 "unknown word \"$name\"; usage: main.tcl ?--host HOST? ?--port PORT?"
        }
        dict set options $name $value
    }
    set port [dict get $options --port]
    if {![regexp {^(0|[1-9][0-9]{0,4})$} $port] || $port > 65535} {
        fail 2 "a port is a number from 0 to 65535: \"$port\""
    }
    return $options
}

proc main {words} {
    set options [options $words]
    set host [dict get $options --host]
    try {
        store::open
    } trap VIA {message details} {
        fail 1 "[lindex [dict get $details -errorcode] 1]: $message"
    }
    try {
        set port [server::listen $host [dict get $options --port] routes::answer]
    } on error message {
        fail 1 "cannot listen on $host:[dict get $options --port]: $message; choose another --port"
    }
    puts "tracker: listening on http://$host:$port/"
    flush stdout
}

main $argv
vwait forever
