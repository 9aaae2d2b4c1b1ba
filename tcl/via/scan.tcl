# scan.tcl: just enough of SQL's lexical rules to tell statements and parameters apart.
#
# For the local fallback only; through the agent SQLite itself decides.
namespace eval via::scan {}

# SQL -> list of {kind text}, kind one of blank, quoted, parameter, semicolon, other.
proc via::scan::tokens {sql} {
    set out {}
    set at 0
    set end [string length $sql]
    while {$at < $end} {
        set next [past $sql $at kind]
        lappend out [list $kind [string range $sql $at $next-1]]
        set at $next
    }
    return $out
}

# Index behind the token that starts at AT; its kind goes to the variable KIND.
proc via::scan::past {sql at kindName} {
    upvar 1 $kindName kind
    set kind other
    switch -glob -- [string range $sql $at $at+1] {
        --* {
            set kind blank
            return [behind $sql $at "\n" 2]
        }
        /\\* {
            set kind blank
            return [behind $sql $at "*/" 2]
        }
        '* - \"* - `* {
            set kind quoted
            return [behind_quoted $sql $at [string index $sql $at]]
        }
        \\[* {
            set kind quoted
            return [behind $sql $at "\]" 1]
        }
        ";*" {
            set kind semicolon
            return [expr {$at + 1}]
        }
    }
    foreach {name pattern} {
        blank {\A\s+}
        parameter {\A(?:\?[0-9]*|[:@$][A-Za-z0-9_$\u0080-\uffff]+)}
        other {\A[A-Za-z0-9_$\u0080-\uffff]+}
    } {
        if {[regexp -start $at -indices $pattern $sql where]} {
            set kind $name
            return [expr {[lindex $where 1] + 1}]
        }
    }
    return [expr {$at + 1}]
}

proc via::scan::behind {sql at mark from} {
    set found [string first $mark $sql $at+$from]
    return [expr {$found < 0 ? [string length $sql] : $found + [string length $mark]}]
}

# A doubled quote is two quoted tokens side by side, which is all the same here.
proc via::scan::behind_quoted {sql at quote} {
    return [behind $sql $at $quote 1]
}

# Cut SQL at the semicolons that end statements: a list of statements, each a list of tokens.
# COMPLETE is a command prefix that knows of the ones inside CREATE TRIGGER.
proc via::scan::statements {sql complete} {
    set out {}
    set statement {}
    set text {}
    set blank 1
    foreach token [tokens $sql] {
        lassign $token kind piece
        lappend statement $token
        append text $piece
        if {$kind eq "semicolon" && ($blank || [{*}$complete $text])} {
            if {!$blank} {
                lappend out $statement
            }
            set statement {}
            set text {}
            set blank 1
        } elseif {$kind ne "blank" && $kind ne "semicolon"} {
            set blank 0
        }
    }
    if {!$blank} {
        lappend out $statement
    }
    return $out
}

# Number parameters as SQLite does. Returns the list of token and index, index 0 for other
# tokens, and in the variable NAMES each index's name ({} for ? and ?N).
proc via::scan::numbered {tokens namesName} {
    upvar 1 $namesName names
    set names {}
    set top 0
    return [lmap token $tokens {
        lassign $token kind text
        if {$kind ne "parameter"} {
            list $text 0
        } elseif {[regexp {^\?(\d+)$} $text -> index]} {
            set index [expr {[scan $index %d]}]
            dict set names $index {}
            set top [expr {max($top, $index)}]
            list $text $index
        } elseif {$text ne "?" && $text in [dict values $names]} {
            set known $text
            list $text [lindex [dict keys [dict filter $names script {i n} {expr {$n eq $known}}]] 0]
        } else {
            incr top
            dict set names $top [expr {$text eq "?" ? {} : $text}]
            list $text $top
        }
    }]
}
