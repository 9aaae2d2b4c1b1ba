# The focus of this file is failing anywhere: run a command once for every system call that changes
# what is on disk, as a fresh process that is killed just before that call, or whose call fails
# with EIO, ENOSPC or EINTR. State on disk changes by these calls alone (and by memory that is
# mapped, which is an index that SQLite makes anew), so between any two steps of an operation lies
# one of the points. And once for every file of its own that it opens, with no descriptor left.
#
# VIA_FAULT_POINTS says how many points of an operation are tried: evenly spread, the first and
# the last of each kind of fault included; `all` takes every one, and goes on until the fault is
# not reached any more.

# Roots are copied for every point: memory is quick, and no other program's disk is disturbed.
if {[file writable /dev/shm]} { set ::env(VIA_TEST_TMP) /dev/shm }
source [file join [file dirname [info script]] .. harness.tcl]
source [file join [file dirname [info script]] whole.tcl]

# An open counts where it makes or empties a file, an ioctl where it shares blocks; but where there
# is no descriptor left, every open of a file of the test's own counts.
set makes {openat mkdir mkdirat rename renameat renameat2 link linkat}
set writes {write pwrite64 ftruncate fallocate copy_file_range fsync fdatasync}
set removes {unlink unlinkat rmdir}
set owns {chmod fchmod fchmodat chown fchown fchownat lchown}
set ::faults [dict create \
    KILL [list {*}$makes {*}$writes {*}$removes {*}$owns symlink] \
    EIO [list {*}$makes {*}$writes {*}$removes {*}$owns ioctl sync_file_range] \
    ENOSPC [list {*}$makes {*}$writes ioctl] \
    EINTR [list openat {*}$writes] \
    EMFILE openat]

set ::points_max [expr {[info exists ::env(VIA_FAULT_POINTS)] ? $::env(VIA_FAULT_POINTS) : 15}]

set via $::build/via
set vary $::build/vary

# -- may this machine trace? --------------------------------------------------------

testConstraint strace [expr {[auto_execok strace] ne {}
    && [dict get [try_exec strace -f --seccomp-bpf -qq -o /dev/null true] status] eq "0"}]
if {![testConstraint strace]} {
    puts "note: skipped: strace is missing or may not trace here (ptrace is not permitted)"
}

# -- points -------------------------------------------------------------------------

# What a call does to files of the test's own: `changes` them, `opens` what is there, or `nothing`.
proc effect_of {call text} {
    if {$call eq "ioctl"} { return [expr {[string match *FICLONE* $text] ? "changes" : "nothing"}] }
    if {$call ne "openat"} { return changes }
    if {[string first [file dirname $::env(VIA_STATE_DIR)]/ $text] < 0} { return nothing }
    return [expr {[regexp {O_CREAT|O_TRUNC} $text] ? "changes" : "opens"}]
}

# The calls in a trace, in their order: a list of {call n}, the n-th of that call in some process,
# that have one of `effects`. An open that is of another kind in another process is left out: there
# the fault would be met as well.
proc points_of {trace {effects changes}} {
    set points {}
    foreach line [split [read_file $trace] \n] {
        if {![regexp {^(\d+)\s+(\w+)\((.*)$} $line - pid call text]} continue
        set point [list $call [incr count($pid,$call)]]
        set fits [expr {[effect_of $call $text] in $effects}]
        if {![dict exists $points $point] || ($fits == ($call ne "openat"))} { dict set points $point $fits }
    }
    return [lmap {point fits} $points { if {$fits} {set point} else continue }]
}

# The calls that a point may be, for strace.
proc traced {} { join [lsort -unique [concat {*}[dict values $::faults]]] , }

# At most `max` of a list, evenly spread, the first and the last included.
proc sample {list max} {
    set n [llength $list]
    if {$max eq "all" || $n <= $max} { return $list }
    set chosen {}
    for {set i 0} {$i < $max} {incr i} {
        lappend chosen [lindex $list [expr {$i * ($n - 1) / max(1, $max - 1)}]]
    }
    return $chosen
}

# The points of `command`, at most `max` of a fault: a list of {fault call n}.
proc points {command max} {
    set trace [scratch trace]
    try_exec strace -f --seccomp-bpf -qq -y -e trace=[traced] -e signal=none -o $trace {*}$command
    set chosen {}
    dict for {fault calls} $::faults {
        set may {}
        foreach point [points_of $trace [expr {$fault eq "EMFILE" ? {changes opens} : "changes"}]] {
            if {[lindex $point 0] in $calls} { lappend may [list $fault {*}$point] }
        }
        lappend chosen {*}[sample $may $max]
    }
    file delete $trace
    return $chosen
}

# The points after the last that was counted, one of each fault and call.
proc points_beyond {points} {
    set last {}
    foreach point $points {
        lassign $point fault call n
        if {$call in {openat ioctl}} continue ;# there are more of them, which are no points
        set key [list $fault $call]
        if {![dict exists $last $key] || [dict get $last $key] < $n} { dict set last $key $n }
    }
    return [lmap {key n} $last { list {*}$key [expr {$n + 1}] }]
}

# -- running ------------------------------------------------------------------------

# Run `command` into `point`: dict status out err, `hit` with the call as it was met ("" when it
# was not), `answer` with ok, refused or killed.
proc run_into {point command} {
    lassign $point fault call n
    set trace [scratch trace]
    # The filter in the kernel makes tracing cheap, but a signal cannot be sent from there.
    set how [expr {$fault eq "KILL" ? "-e inject=$call:signal=KILL:when=$n"
        : "--seccomp-bpf -e inject=$call:error=$fault:when=$n"}]
    set r [try_exec timeout --foreground -k 1 [expr {60 * $::slower}] strace -f -qq -y -e trace=$call \
        -e signal=none -o $trace {*}$how {*}$command]
    set hit {}
    foreach line [split [read_file $trace] \n] {
        if {[regexp {\(INJECTED\)|= \?$} $line]} { set hit $line }
    }
    file delete $trace
    set status [dict get $r status]
    if {$status eq "SIGKILL" && $hit eq {}} { set hit "killed" }
    dict set r hit [string map [list $::env(VIA_STATE_DIR) {}] [regsub {^\d+\s+} $hit {}]]
    dict set r answer [expr {$status eq "SIGKILL" ? "killed" : $status eq "0" ? "ok" : "refused"}]
    return $r
}

# The codes there are.
set ::codes {}
foreach {- word} [regexp -all -inline {X\([A-Z_]+, "([a-z_]+)"} \
    [read_file $::top/include/via/status.h]] { lappend ::codes $word }

# What the command said of its failure: a code that fits and a sentence. Complaints.
proc answer_complaints {r fault} {
    set status [dict get $r status]
    set said [dict get $r err]
    if {[string match *Sanitizer* $said]} { return [list "sanitizer: $said"] }
    if {$status eq "0" || ($status eq "SIGKILL" && $fault eq "KILL")} { return {} }
    if {$status ne "1"} { return [list "ended with $status: $said"] }
    # Its own words could not be written.
    if {[regexp {^write\([12]<} [dict get $r hit]]} { return {} }
    foreach line [split $said \n] {
        if {[regexp {^(?:.*(?:[Ee]rror[^:]*: |stepping, ))?([a-z_]+): \S} $line - code] && $code in $::codes} break
        # A backup that is made of the rest says so of what is not in it.
        if {[regexp {^warning: not in the archive: .*: ([a-z_]+)$} $line - code] && $code in $::codes} break
        set code {}
    }
    if {$code eq {}} { return [list "no code: $said"] }
    dict incr ::told "$fault $code"
    # No pipe is ever full in that way, nor is a disk when a file gets shorter. What SQLite cannot make
    # it opens to read, and forgets why: it is the disk that is asked then, and that has room here.
    set may_be_full [expr {$fault eq "ENOSPC"
        && ![regexp {<pipe:|^ftruncate\(.*, 0\)|^openat\((?!.*O_EXCL)} [dict get $r hit]]}]
    set is_full [expr {$code in {disk_full storage_full}}]
    # Nor is anything missing or broken because of a call that failed.
    set is_lie [regexp {_(missing|corrupt|not_found|not_a_file|not_a_database|invalid)$} $code]
    if {$code in {internal_error out_of_memory usage} || $is_lie || ($is_full && $fault ne "ENOSPC") || (!$is_full && $may_be_full)} {
        return [list "of all codes: $said"]
    }
    return {}
}

# -- the sweep ----------------------------------------------------------------------

# Try the points of `command`, each on a copy of the root `base` ("" is no root). After each, the
# root is looked at, mended (`via doctor --fix`, or an agent's start), and must be sound but for the
# findings in `allowed`; then `check` is evaluated in the caller's frame, with the point in ::point
# and the answer (ok, refused, killed) in ::answer: a list of complaints; then it must be sound
# without exception. The result is every complaint with its point. How many points were met is noted.
proc sweep {what base command allowed check} {
    set complaints {}
    set met {}
    set missed 0
    set index 0
    set ::told {}
    root_from $base
    set todo [points $command [expr {$::points_max eq "all" ? "all"
        : max(2, $::points_max / [dict size $::faults])}]]
    set beyond [expr {$::points_max eq "all" ? [points_beyond $todo] : {}}]
    while {$todo ne {} || $beyond ne {}} {
        set further [expr {$todo eq {}}]
        if {$further} { set todo $beyond; set beyond {} }
        set todo [lassign $todo point]
        file delete -force $::env(VIA_STATE_DIR)
        root_from $base
        set found {}
        if {[catch {
            set ::point $point
            set r [run_into $point $command]
            set ::answer [dict get $r answer]
            if {[dict get $r hit] eq {}} {
                incr missed [expr {!$further}]
                if {[info exists ::env(VIA_FAULT_LOUD)] && !$further} { puts "not reached: $point" }
                if {$::answer ne "ok"} { lappend found "nothing failed, yet: [dict get $r err]" }
            } else {
                dict incr met [lindex $point 0]
                lassign $point fault call n
                if {$further} { lappend beyond [list $fault $call [expr {$n + 1}]] }
                lappend found {*}[answer_complaints $r $fault]
                lappend found {*}[mend_complaints $allowed [incr index]]
                lappend found {*}[uplevel 1 $check]
                lappend found {*}[whole_complaints]
            }
        } message]} {
            lappend found $message
        }
        foreach complaint $found {
            set line "$point: [dict get $r hit]: $complaint"
            if {[info exists ::env(VIA_FAULT_LOUD)]} { puts $line; flush stdout }
            lappend complaints $line
        }
    }
    file delete -force $::env(VIA_STATE_DIR)
    set total [expr [join [list 0 {*}[dict values $met]] +]]
    puts "note: $what: $total points ([join [lmap {fault n} $met {string cat $fault { } $n}] {, }])[expr \
        {$missed ? ", $missed not reached" : ""}]"
    if {[info exists ::env(VIA_FAULT_LOUD)]} { puts "said: $::told" }
    if {$missed > $total} { lappend complaints "$what: only $total of [expr {$total + $missed}] points were met" }
    return [join $complaints \n]
}
