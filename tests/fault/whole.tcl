# The focus of this file is what holds after any fault: a root opens, shows nothing half-made, is
# mended by `via doctor --fix` or by an agent's start, and holds exactly the files its rows name.

# -- state roots to start from -------------------------------------------------------

# Evaluate `body` on a fresh root; the root.
proc base {body} {
    set root [via_root]
    uplevel #0 $body
    return $root
}

# A copy of a root (of none: "") in VIA_STATE_DIR.
proc root_from {base} {
    via_root
    if {$base ne {}} { exec cp -a $base $::env(VIA_STATE_DIR) }
}

proc below {args} { file join $::env(VIA_STATE_DIR) {*}$args }

# The file of an add-on by its id.
proc data {id} { below addons sqlite $id data.sqlite }

# What a database holds, as somebody sees it who knows nothing of Via: "ok" and a digest.
proc content {file} {
    if {![file exists $file]} { return missing }
    dict get [try_exec sqlite3 -batch $file "PRAGMA integrity_check" .sha3sum] out
}

# SQL that describes what an operation may change, as one line.
proc seen {query} { string map {\n ,} [sql $query] }

# -- what must hold ------------------------------------------------------------------

# At once after the fault: the root opens, and who is ready has its database. Complaints.
proc visible_complaints {allowed} {
    set r [try_sql "SELECT id FROM via_addons WHERE state='ready'"]
    if {[dict get $r status] ne "0"} { return [list "it does not open: [dict get $r err]"] }
    set found {}
    foreach id [dict get $r out] {
        if {"storage_missing" ni $allowed && (![file exists [data $id]] || [file size [data $id]] == 0)} {
            lappend found "ready without its database: $id"
        }
    }
    return $found
}

# What an operator would do: ask the doctor, every fourth time after an agent's start. Complaints.
proc mend_complaints {allowed index} {
    set found [visible_complaints $allowed]
    if {$found ne {}} { return $found }
    if {$index % 4 == 0} {
        agent_start --listen none
        set status [agent_stop]
        if {$status ne "0"} { return [list "the agent ended with $status"] }
        set open [sql "SELECT group_concat(kind) FROM via_operations
                       WHERE state NOT IN ('done','failed','undone')"]
        if {$open ne {}} { return [list "the agent's start left unsettled: $open"] }
    }
    set r [try_cli doctor --fix --json]
    if {[catch {json::json2dict [dict get $r out]} findings]} {
        return [list "doctor --fix: [dict get $r status] [dict get $r err] [dict get $r out]"]
    }
    set left {}
    foreach finding $findings {
        dict with finding {
            if {$severity ne "info" && $code ni $allowed} { lappend left "mended, yet $code $subject: $reason" }
        }
    }
    return $left
}

# Every file below `folder`, as a path relative to it.
proc files_below {folder {prefix {}}} {
    set files {}
    foreach name [glob -nocomplain -tails -directory $folder * .*] {
        if {$name in {. ..}} continue
        if {[file isdirectory $folder/$name] && [file type $folder/$name] ne "link"} {
            lappend files {*}[files_below $folder/$name $prefix$name/]
        } else {
            lappend files $prefix$name
        }
    }
    return $files
}

# Nothing wrong, nothing unsettled, a sound audit, and the files that the rows name, no other.
proc whole_complaints {} {
    set found {}
    set files {}
    foreach row [split [sql "
        SELECT 'complaint', 'doctor: '||code||' '||subject||': '||reason
            FROM via_findings WHERE severity<>'info'
        UNION ALL SELECT 'complaint', 'unsettled: '||kind||' '||state
            FROM via_operations WHERE state NOT IN ('done','failed','undone')
        UNION ALL SELECT 'complaint', 'add-on '||name||' is '||state
            FROM via_addons WHERE state NOT IN ('ready','suspended','failed','destroyed')
        UNION ALL SELECT 'complaint', 'audit broken at '||via_audit_verify() WHERE via_audit_verify() IS NOT NULL
        UNION ALL SELECT 'complaint', 'two active keys for '||use
            FROM via_keys WHERE state='active' GROUP BY use HAVING count(*)>1
        UNION ALL SELECT 'must', 'addons/sqlite/'||id||'/data.sqlite'
            FROM via_addons WHERE state IN ('ready','suspended')
        UNION ALL SELECT 'may', 'addons/sqlite/'||id||'/data.sqlite'
            FROM via_addons WHERE state='destroyed'
        UNION ALL SELECT 'must', 'addons/sqlite/'||addon_id||'/snapshots/'||id||'.sqlite'
            FROM via_snapshots WHERE state='ready'
        UNION ALL SELECT 'must', 'keys/'||kid||'.jwk' FROM via_keys WHERE state<>'retired'
        UNION ALL SELECT 'must', 'backups/'||id||'.tar.zst'
            FROM via_backups WHERE state='ready' AND path LIKE '%/backups/'||id||'.tar.zst'"] \n] {
        regexp {^([a-z]+)\|(.*)$} $row - what text
        switch $what {
            complaint { lappend found $text }
            must      { dict set files $text 1 }
            may       { dict set files $text 0 }
        }
    }
    foreach file [files_below $::env(VIA_STATE_DIR)] {
        set main [regsub -- {-(wal|shm)$} $file {}]
        if {[dict exists $files $main]} {
            if {$main eq $file} { dict set files $file 0 }
        } elseif {![regexp {^(control-plane\.db|runtime\.db|audit-head\.json|run/(epoch|locks|agent\.json)|backups/control-plane-schema-.*\.db)$} $main]} {
            lappend found "orphan file $file"
        }
    }
    dict for {file is_missing} $files {
        if {$is_missing} {
            lappend found "a row without its file $file"
        } elseif {[string match */data.sqlite $file] && [file exists [below $file]]
                && [lindex [set said [content [below $file]]] 0] ne "ok"} {
            lappend found "$file: $said"
        }
    }
    return $found
}
