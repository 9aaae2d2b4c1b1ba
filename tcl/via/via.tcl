# via.tcl: an app's databases by name, for Tcl.
#
#     package require via
#     set db [via::sql connect DATABASE]
#     foreach user [$db query {SELECT id, name FROM users WHERE name = ?} [list $name]] {
#         puts [dict get $user id]
#     }
#     $db execute {INSERT INTO users(name) VALUES (:name)} -named [dict create name ada]
#     $db close
#
#     $db query SQL ?PARAMS?     list of dicts         $db rows SQL ?PARAMS?   list of lists
#     $db one SQL ?PARAMS?       first value, or null  $db setup SQL           several statements
#     $db execute SQL ?PARAMS?   dict update_count last_insert_rowid, and rows if it returns any
#     via::env NAME              an environment value of the app, plain or secret
#     PARAMS: a list, or -named DICT (names with or without their : @ $)
#
# A parameter goes by its looks: 12 is an integer, 1.5 a real, all else text ("012" and "1.50"
# too). [via::sql value blob $bytes] and its like say the type; [via::sql null] is NULL. NULL reads
# as {} or what -null says. Errors: -errorcode {VIA code sqlite-name}, and the return option
# -via with http, retryable, maybe_done, retry_after.
package require Tcl 8.6
package require TclOO

namespace eval via {
    variable here [file dirname [file normalize [info script]]]
    # Nobody who only supplies values can guess it, so no form field becomes a typed value.
    variable mark [format "\x01via:%08x%08x" [expr {int(rand() * 0xffffffff)}] [clock clicks]]
}

namespace eval via::sql {
    namespace export connect connect_managed null value managed
    namespace ensemble create
}

# Open the database bound as BINDING. Options: -fallback FILE, the local file to use where there
# is no Via; -null TEXT, what NULL reads as.
proc via::sql::connect {binding args} {
    set options [dict create -fallback {} -null {}]
    foreach {name value} $args {
        if {![dict exists $options $name]} {
            ::via::raise usage "unknown option \"$name\": use -fallback FILE or -null TEXT"
        }
        dict set options $name $value
    }
    if {![regexp {^[A-Z][A-Z0-9_]{0,62}$} $binding]} {
        ::via::raise name_invalid "a binding's name is made of A-Z, 0-9 and _: \"$binding\""
    }
    if {[managed]} {
        ::via::load_native
        return [::via::Remote new $binding [dict get $options -null]]
    }
    return [::via::Local new $binding [dict get $options -fallback] [dict get $options -null]]
}

# As connect, with the database brought up to SCHEMA, a dict: version N, scripts {1 SQL 2 SQL …}.
proc via::sql::connect_managed {binding schema args} {
    ::via::schema::check $schema
    set db [connect $binding {*}$args]
    try {
        ::via::schema::apply $db $schema
    } on error {message options} {
        $db close
        return -options $options $message
    }
    return $db
}

# Whether Via manages this process: then, and only then, nothing is ever kept in a local file.
proc via::sql::managed {} {
    return [expr {[info exists ::env(VARY_CONFIG_URL)]
                  || [info exists ::env(VARY_CONFIG_TOKEN_PATH)]}]
}

# The environment value NAME, plain or secret, as Via tells it to this instance now; where there is no
# Via, the process's own.
proc via::env {name} {
    if {[via::sql::managed]} {
        load_native
        return [native_env $name]
    }
    if {![info exists ::env($name)]} {
        raise env_not_found "there is no value $name in the environment"
    }
    return $::env($name)
}

proc via::sql::null {} {
    return [list $::via::mark null {}]
}

proc via::sql::value {type value} {
    if {$type ni {integer real text blob}} {
        ::via::raise usage "a value is an integer, real, text or blob"
    }
    return [list $::via::mark $type $value]
}

# Raise an error as libvia does. FACTS: http, retryable, maybe_done, retry_after.
proc via::raise {code message {sqlite {}} {facts {}}} {
    set known [dict create http 0 retryable 0 maybe_done 0 retry_after 0]
    return -level 2 -code error -errorcode [list VIA $code $sqlite] \
        -via [dict merge $known $facts] $message
}

proc via::load_native {} {
    variable here
    if {[llength [info commands ::via::native]]} return
    if {[catch {load [file join $here libtclvia.so] Tclvia} message]} {
        raise config_missing "this process is under Via, but its Tcl library does not load: $message"
    }
}

# Type and value of one parameter.
proc via::typed {value} {
    variable mark
    if {[string equal -length [string length $mark] $mark $value]} {
        return [lrange $value 1 2]
    }
    if {[regexp {^(0|-?[1-9][0-9]{0,18})$} $value] && [expr {wide($value)}] eq $value} {
        return [list integer $value]
    }
    # Up to 15 digits, for that many come back unchanged when the column turns out to be text.
    if {[regexp {^-?[0-9]+\.[0-9]+$} $value] && [string length $value] <= 16
        && [expr {double($value)}] eq $value && $value ne "-0.0"} {
        return [list real $value]
    }
    return [list text $value]
}

# PARAMS as a command got them -> list of {name type value}.
proc via::parameters {words} {
    if {[llength $words] == 2 && [lindex $words 0] eq "-named"} {
        set out {}
        dict for {name value} [lindex $words 1] {
            lappend out [list $name {*}[typed $value]]
        }
        return $out
    }
    if {[llength $words] > 1} {
        raise usage "parameters are one list, or -named DICT"
    }
    return [lmap value [lindex $words 0] {list {} {*}[typed $value]}]
}

# What both kinds of connection share. A subclass has `run OPERATION SQL PARAMETERS`, which returns
# a dict of columns, rows, update_count and last_insert_rowid.
oo::class create via::Database {
    method query {sql args} {
        return [my Dicts [my run query $sql [::via::parameters $args]]]
    }

    method rows {sql args} {
        return [dict get [my run query $sql [::via::parameters $args]] rows]
    }

    method one {sql args} {
        set rows [dict get [my run query $sql [::via::parameters $args]] rows]
        return [expr {[llength $rows] ? [lindex $rows 0 0] : [my null]}]
    }

    method execute {sql args} {
        set result [my run execute $sql [::via::parameters $args]]
        set out [dict filter $result key update_count last_insert_rowid]
        if {[llength [dict get $result columns]]} {
            dict set out rows [my Dicts $result]
        }
        return $out
    }

    method setup {sql} {
        return [dict filter [my run setup $sql {}] key update_count]
    }

    method close {} {
        my destroy
    }

    method Dicts {result} {
        set out {}
        foreach row [dict get $result rows] {
            set one {}
            foreach name [dict get $result columns] value $row {
                dict set one $name $value
            }
            lappend out $one
        }
        return $out
    }
}

# A database behind the agent.
oo::class create via::Remote {
    superclass via::Database

    variable native nullText

    constructor {binding null} {
        set native {}
        set nullText $null
        set native [::via::native $binding]
    }

    destructor {
        if {$native ne {}} {
            rename $native {}
        }
    }

    method null {} {
        return $nullText
    }

    # Give up on an answer after MS milliseconds; 0: never.
    method timeout {ms} {
        $native timeout $ms
    }

    method run {operation sql parameters} {
        if {$operation eq "setup"} {
            return [$native setup $sql]
        }
        return [$native $operation $sql $nullText $parameters]
    }
}

source -encoding utf-8 [file join $via::here scan.tcl]
source -encoding utf-8 [file join $via::here local.tcl]
source -encoding utf-8 [file join $via::here schema.tcl]

package provide via 0.1.0
