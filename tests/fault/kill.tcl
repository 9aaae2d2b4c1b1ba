# The focus of this file is dying anywhere: run a command once for every system call that changes
# what is on disk, killed (SIGKILL) just before that call, and look at what is left each time.
# State on disk changes by these calls alone, so between any two phases of an operation there
# is one of the points.

set ::writing {write pwrite64 ftruncate fallocate fsync fdatasync rename renameat renameat2 unlink
    unlinkat mkdir mkdirat rmdir link linkat chmod fchmod fchmodat chown fchown fchownat symlink}

# How many points of one command are tried; `all` takes every one.
set ::points_max [expr {[info exists ::env(VIA_FAULT_POINTS)] ? $::env(VIA_FAULT_POINTS) : 24}]

testConstraint strace [expr {[auto_execok strace] ne {}
    && [dict get [try_exec strace -qq -o /dev/null true] status] eq "0"}]

set via $::build/via

# -- state roots to start from ----------------------------------------------------

proc base {body} {
    set root [via_root]
    uplevel #0 $body
    return $root
}

# SQL that describes what an operation may change, as one line.
proc seen {query} { string map {\n ,} [sql $query] }

# The points of `command`: a list of {call n}, meaning the n-th of that call in its main thread.
proc kill_points {command} {
    set trace [scratch trace]
    try_exec strace -f -qq -e trace=[join $::writing ,] -e signal=none -o $trace {*}$command
    return [sample [points_of $trace] $::points_max]
}

proc points_of {trace} {
    set points {}
    set main {}
    foreach line [split [read_file $trace] \n] {
        if {![regexp {^(\d+)\s+(\w+)\(} $line - pid call]} continue
        if {$main eq {}} { set main $pid }
        if {$pid ne $main} continue
        lappend points [list $call [incr count($call)]]
    }
    file delete $trace
    return $points
}

# At most `max` of the points, evenly spread, the first and the last included.
proc sample {points max} {
    set n [llength $points]
    if {$max eq "all" || $n <= $max} { return $points }
    set chosen {}
    for {set i 0} {$i < $max} {incr i} {
        lappend chosen [lindex $points [expr {$i * ($n - 1) / max(1, $max - 1)}]]
    }
    return $chosen
}

# Run `command` until the point; true when it was killed there.
proc run_killed {command point} {
    lassign $point call n
    set result [try_exec strace -f -qq -e trace=$call -e signal=none -o /dev/null \
        -e inject=$call:signal=KILL:when=$n {*}$command]
    return [expr {[dict get $result status] eq "SIGKILL"}]
}

# Try every point of `command` on a copy of the state root `base`, let an agent mend what is left,
# and evaluate `check` in the caller's frame: it returns a list of complaints. The result is all of
# them, each with its point; the number of points is noted.
proc try_all {what base command check} {
    set complaints {}
    copy_root $base
    set points [kill_points $command]
    set killed 0
    foreach point $points {
        copy_root $base
        incr killed [run_killed $command $point]
        if {[catch {
            settle
            set found [list {*}[uplevel 1 $check] {*}[anything_left]]
        } message]} {
            set found [list $message]
        }
        foreach complaint $found { lappend complaints "killed before $point: $complaint" }
        file delete -force $::env(VIA_STATE_DIR)
    }
    puts "note: $what: killed at $killed of [llength $points] points"
    if {$killed < [llength $points] / 2} {
        lappend complaints "$what: only $killed of [llength $points] runs were killed"
    }
    return [join $complaints \n]
}

# Up to `max` state roots in which `command`, killed, left an operation unsettled.
proc half_made {base command max} {
    set roots {}
    copy_root $base
    foreach point [kill_points $command] {
        if {[llength $roots] >= $max} break
        copy_root $base
        run_killed $command $point
        set unsettled [sql "SELECT count(*) FROM via_operations
                            WHERE state NOT IN ('done','failed','undone')"]
        if {$unsettled > 0} {
            lappend roots $::env(VIA_STATE_DIR)
        } else {
            file delete -force $::env(VIA_STATE_DIR)
        }
    }
    return $roots
}

# Start an agent under strace with `options` and let it run until it is ready or dead; end it.
# True when it became ready.
proc agent_traced {options} {
    set log [scratch log]
    set tracer [open |[list strace -f -qq -e signal=none {*}$options $::build/viad --listen none >& $log] w]
    set pid [pid $tracer]
    wait_until {[regexp -line {^viad: ready } [read_file $log]] || ![alive $pid]}
    set ready [regexp -line {^viad: ready } [read_file $log]]
    catch {exec kill -TERM {*}[read_file /proc/$pid/task/$pid/children]}
    if {![wait_until {![alive $pid]}]} { error "the traced agent does not end" }
    catch {close $tracer}
    return $ready
}

# As try_all, for the agent's start on each of `bases`.
proc try_agent {what bases check} {
    set complaints {}
    set tried 0
    set killed 0
    foreach base $bases {
        copy_root $base
        set trace [scratch trace]
        agent_traced [list -e trace=[join $::writing ,] -o $trace]
        set max [expr {$::points_max eq "all" ? "all" : max(4, $::points_max / [llength $bases])}]
        foreach point [sample [points_of $trace] $max] {
            lassign $point call n
            copy_root $base
            incr tried
            incr killed [expr {![agent_traced [list -e trace=$call -o /dev/null \
                -e inject=$call:signal=KILL:when=$n]]}]
            if {[catch {
                settle
                set found [list {*}[uplevel 1 $check] {*}[anything_left]]
            } message]} {
                set found [list $message]
            }
            foreach complaint $found { lappend complaints "killed before $point: $complaint" }
            file delete -force $::env(VIA_STATE_DIR)
        }
    }
    puts "note: $what: killed at $killed of $tried points"
    if {$killed == 0} { lappend complaints "$what: never killed" }
    return [join $complaints \n]
}

proc copy_root {base} {
    via_root
    exec cp -a $base $::env(VIA_STATE_DIR)
}

# What an operator would do: start the agent. It resumes or undoes before it is ready.
proc settle {} {
    agent_start --listen none
    set status [agent_stop]
    if {$status ne "0"} { error "the agent ended with $status: [agent_log]" }
}

# Complaints about half-made state, whatever the operation was.
proc anything_left {} {
    set root $::env(VIA_STATE_DIR)
    set found {}
    set known {}
    set ready {}
    foreach row [split [sql "
        SELECT 'operation', kind||' '||state FROM via_operations WHERE state NOT IN ('done','failed','undone')
        UNION ALL SELECT 'addon', name||' '||state FROM via_addons
            WHERE state NOT IN ('ready','suspended','failed','destroyed')
        UNION ALL SELECT 'known', id FROM via_addons
        UNION ALL SELECT 'ready', id FROM via_addons WHERE state='ready'"] \n] {
        lassign [split $row |] what text
        switch $what {
            known   { lappend known $text }
            ready   { lappend ready $text }
            default { lappend found "$what left: $text" }
        }
    }
    foreach folder [glob -nocomplain -tails -directory $root/addons/sqlite *] {
        if {$folder ni $known} { lappend found "orphan folder $folder" }
    }
    foreach id $ready {
        set file $root/addons/sqlite/$id/data.sqlite
        if {![file exists $file]} {
            lappend found "ready without storage: $id"
        } elseif {[set said [exec sqlite3 $file "PRAGMA integrity_check"]] ne "ok"} {
            lappend found "integrity of $id: $said"
        }
        foreach stray [glob -nocomplain -tails -directory $root/addons/sqlite/$id * .*] {
            if {$stray ni {. .. data.sqlite data.sqlite-wal data.sqlite-shm snapshots}} {
                lappend found "stray file $stray"
            }
        }
    }
    return $found
}
