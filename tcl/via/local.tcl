# local.tcl: the same commands over a local SQLite file, where there is no Via.
#
# For developing an app on its own. It keeps what an app could come to rely on: one statement
# an operation, query only reads, setup is all or nothing, the same types, the same codes. It
# is no wall against hostile SQL.
oo::class create via::Local {
    superclass via::Database

    variable handle nullText mode refusal

    constructor {binding fallback null} {
        package require sqlite3
        set nullText $null
        set mode {}
        set refusal {}
        set handle [self namespace]::sqlite
        set file [my File $binding $fallback]
        try {
            sqlite3 $handle $file
            $handle timeout 5000
            $handle nullvalue $null
            $handle eval {PRAGMA journal_mode = WAL}
            $handle eval {PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON}
            $handle config trusted_schema 0
            $handle config defensive 1
        } on error message {
            ::via::raise config_unreadable "the local database $file does not open: $message"
        }
    }

    destructor {
        if {[llength [info commands $handle]]} {
            $handle close
        }
    }

    method null {} {
        return $nullText
    }

    method timeout {ms} {
        $handle timeout $ms
    }

    method File {binding fallback} {
        if {$fallback ne {}} {
            return $fallback
        }
        set folder .
        if {[info exists ::env(VIA_LOCAL_DIR)] && $::env(VIA_LOCAL_DIR) ne {}} {
            set folder $::env(VIA_LOCAL_DIR)
            file mkdir $folder
        }
        return [file join $folder [string tolower $binding].sqlite]
    }

    method run {operation sql parameters} {
        set statements [::via::scan::statements $sql [list $handle complete]]
        if {$operation eq "setup"} {
            return [my Setup $statements]
        }
        if {[llength $statements] == 0} {
            ::via::raise bad_request "there is no statement in the SQL text" {} {http 400}
        }
        if {[llength $statements] > 1} {
            ::via::raise too_many_statements "one statement at a time; setup runs several" \
                {} {http 400}
        }
        my Mode $operation
        return [my Statement [lindex $statements 0] $parameters]
    }

    method Setup {statements} {
        set count 0
        my Mode {}
        $handle eval {BEGIN IMMEDIATE}
        try {
            my Mode execute
            foreach statement $statements {
                incr count [dict get [my Statement $statement {}] update_count]
            }
            my Mode {}
            $handle eval COMMIT
        } on error {message options} {
            my Mode {}
            catch {$handle eval ROLLBACK}
            return -options $options $message
        }
        return [dict create columns {} rows {} update_count $count last_insert_rowid 0]
    }

    # What may be done from here on: query reads, execute writes, {} is our own.
    method Mode {wanted} {
        if {$wanted eq $mode} return
        set mode $wanted
        $handle authorizer {}
        $handle eval "PRAGMA query_only = [expr {$mode eq "query"}]"
        if {$mode ne {}} {
            $handle authorizer [namespace code {my Authorize}]
        }
    }

    # SQLite's authorizer: asked while a statement is prepared. Writes are not its business, for
    # virtual tables prepare some while they are merely read.
    method Authorize {action first second args} {
        if {$action in {SQLITE_ATTACH SQLITE_DETACH SQLITE_TRANSACTION SQLITE_SAVEPOINT}
            || ($action eq "SQLITE_FUNCTION" && $second eq "load_extension")} {
            set refusal statement_forbidden
        } elseif {$action eq "SQLITE_PRAGMA"} {
            set refusal [my Pragma $first $second]
        }
        return [expr {$refusal eq {} ? "SQLITE_OK" : "SQLITE_DENY"}]
    }

    # Why this pragma is refused, {} when it is not.
    method Pragma {name value} {
        if {$value eq {} || $name in {table_info table_xinfo table_list index_list index_info
                index_xinfo foreign_key_list foreign_key_check}} {
            return {}
        }
        if {$name ni {user_version application_id defer_foreign_keys recursive_triggers}} {
            return statement_forbidden
        }
        return [expr {$mode eq "query" ? "query_not_readonly" : {}}]
    }

    # Run one statement, a list of tokens.
    method Statement {tokens parameters} {
        set refusal {}
        set pieces [::via::scan::numbered $tokens names]
        my Bind $pieces $names $parameters sql bound
        set before [$handle total_changes]
        try {
            lassign [my Step $sql $bound] columns rows
        } on error message {
            my Explain $message
        }
        set changed [expr {[$handle total_changes] == $before ? 0 : [$handle changes]}]
        return [dict create columns $columns rows $rows update_count $changed \
            last_insert_rowid [expr {$changed ? [$handle last_insert_rowid] : 0}]]
    }

    # Write the SQL anew with a variable for each parameter; the package binds nothing else.
    method Bind {pieces names parameters sqlName boundName} {
        upvar 1 $sqlName sql $boundName bound
        set bound [my Values $names $parameters]
        set sql {}
        foreach piece $pieces {
            lassign $piece text index
            append sql [expr {$index == 0 ? $text : [my Placeholder $bound $index]}]
        }
    }

    # Index -> {type value} for each parameter of the statement.
    method Values {names parameters} {
        set bound {}
        if {[llength $parameters] && [lindex $parameters 0 0] ne {}} {
            set given {}
            foreach parameter $parameters {
                lassign $parameter name type value
                dict set given [string trimleft $name :@$] [list $type $value]
            }
            set byIndex [dict map {index name} $names {string range $name 1 end}]
            set unknown [lmap name [dict keys $given] {
                expr {$name in [dict values $byIndex] ? [continue] : $name}
            }]
            if {[llength $unknown] || [dict size $given] != [dict size $byIndex]} {
                ::via::raise bad_request "the named parameters are not those of the statement" \
                    {} {http 400}
            }
            return [dict map {index name} $byIndex {dict get $given $name}]
        }
        set wanted [tcl::mathfunc::max 0 {*}[dict keys $names]]
        if {[llength $parameters] != $wanted} {
            ::via::raise bad_request "the statement has $wanted parameters,\
                [llength $parameters] were given" {} {http 400}
        }
        foreach parameter $parameters {
            dict set bound [incr index] [lrange $parameter 1 2]
        }
        return $bound
    }

    # The package writes characters beyond U+FFFF and NUL in a form of Tcl's own, so such
    # texts travel as bytes.
    method Placeholder {bound index} {
        lassign [dict get $bound $index] type value
        if {$type eq "blob"} {
            return @v($index)
        } elseif {$type eq "text" && [regexp {[\x00\ud800-\udfff]} $value]} {
            return CAST(@v($index)\ AS\ TEXT)
        }
        return \$v($index)
    }

    method Step {sql bound} {
        dict for {index typed} $bound {
            lassign $typed type value
            switch $type {
                integer { set v($index) [expr {wide($value)}] }
                real { set v($index) [expr {double($value)}] }
                blob { set v($index) [binary format a* $value] }
                text { set v($index) [my Text $value] }
            }
        }
        set columns {}
        set rows {}
        $handle eval $sql row {
            set columns $row(*)
            lappend rows [lmap name $columns {set row($name)}]
        }
        # Columns of one name share an array element; a read can simply be repeated.
        if {$mode eq "query" && [llength [lsort -unique $columns]] < [llength $columns]} {
            set width [llength $columns]
            set rows {}
            set flat [$handle eval $sql]
            for {set i 0} {$i < [llength $flat]} {incr i $width} {
                lappend rows [lrange $flat $i [expr {$i + $width - 1}]]
            }
        }
        return [list $columns $rows]
    }

    # A string that is only a string: the package looks at how Tcl holds a value.
    method Text {value} {
        if {[regexp {[\x00\ud800-\udfff]} $value]} {
            return [encoding convertto utf-8 $value]
        }
        return [string range "x$value" 1 end]
    }

    # Raise SQLite's complaint as the agent would.
    method Explain {message} {
        set number [$handle errorcode]
        if {$mode eq "query" && $number == 8} {
            set refusal query_not_readonly
        }
        if {$refusal eq "query_not_readonly"} {
            ::via::raise $refusal "query only reads; use execute" {} {http 400}
        } elseif {$refusal ne {}} {
            ::via::raise $refusal "this statement is not open to apps" {} {http 400}
        }
        if {$number in {5 6}} {
            ::via::raise database_busy "the database is busy: $message" {} {http 503 retryable 1}
        }
        ::via::raise sql_error $message [my Name $number $message] {http 400}
    }

    # SQLite's name of an error. The package gives the primary code alone; the sentence tells
    # which constraint it was.
    method Name {number message} {
        set names {1 ERROR 8 READONLY 9 INTERRUPT 11 CORRUPT 13 FULL 18 TOOBIG 19 CONSTRAINT
            20 MISMATCH 21 MISUSE 25 RANGE 26 NOTADB}
        set name SQLITE_[expr {[dict exists $names $number] ? [dict get $names $number] : "ERROR"}]
        foreach {pattern suffix} {
            "UNIQUE *" UNIQUE "NOT NULL *" NOTNULL "CHECK *" CHECK "FOREIGN KEY *" FOREIGNKEY
        } {
            if {$number == 19 && [string match $pattern $message]} {
                append name _$suffix
            }
        }
        return $name
    }
}
