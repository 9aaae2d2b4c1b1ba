# schema.tcl: an app's schema as numbered scripts, each applied once.
#
# The table app_schema holds a row for each script that was applied. Script and row are one
# `setup`, hence one transaction, and the row comes first: when two instances start at once, the
# second one's row is refused and its script undone with it.
namespace eval via::schema {}

proc via::schema::check {schema} {
    if {[catch {dict get $schema version} version] || ![string is integer -strict $version]
        || $version < 1} {
        ::via::raise schema_invalid "a schema has a version, counted from 1"
    }
    for {set i 1} {$i <= $version} {incr i} {
        if {![dict exists $schema scripts $i]} {
            ::via::raise schema_invalid "the schema has version $version and no script $i"
        }
    }
}

# Version that DB has; 0 when it was never managed. Only reads, so that a read-only binding
# of an up-to-date database serves.
proc via::schema::version {db} {
    if {![$db one {SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'app_schema'}]} {
        return 0
    }
    return [$db one {SELECT coalesce(max(version), 0) FROM app_schema}]
}

proc via::schema::apply {db schema} {
    set wanted [dict get $schema version]
    set have [version $db]
    if {$have == 0} {
        $db setup {CREATE TABLE IF NOT EXISTS app_schema(
            version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL) STRICT}
    }
    for {set i [expr {$have + 1}]} {$i <= $wanted} {incr i} {
        step $db $i [dict get $schema scripts $i]
    }
    set have [version $db]
    if {$have > $wanted} {
        ::via::raise schema_newer \
            "the database has schema version $have and this app knows $wanted: start a newer app"
    }
}

proc via::schema::step {db number script} {
    try {
        $db setup "INSERT INTO app_schema(version, applied_at)
                   VALUES ($number, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));\n$script"
    } trap {VIA sql_error} {message options} {
        if {[version $db] < $number} {
            return -options $options "schema script $number: $message"
        }
    }
}
