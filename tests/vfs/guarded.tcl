# The focus of this file is what the tests of the guarded VFS share: a shell on a guarded
# database, and the reason that the VFS logged for a refusal.

# An open shell on `uri`; throws the reason when it is refused.
proc guarded_open {uri {options {}}} {
    set channel [open |[list sqlite3 -batch {*}$options :memory: 2>@1] r+]
    fconfigure $channel -buffering line -encoding utf-8
    dict set ::harness::sessions $channel 1
    session_do $channel ".load $::build/via"
    session_do $channel ".log stderr"
    if {[catch {session_do $channel ".open '$uri'"} message]} {
        session_close $channel
        error $message
    }
    return $channel
}

# What `body` prints, "ok" when that is nothing, or "refused: CODE" as the VFS logged it, or
# "error: SENTENCE" when it failed without the VFS having said why.
proc outcome {body} {
    if {![catch {uplevel 1 $body} text]} {
        return [expr {$text eq {} ? "ok" : $text}]
    }
    if {[regexp {via: ([a-z_]+):} $text -> code]} { return "refused: $code" }
    regexp -line {^(?:Error|Runtime error|Parse error).*} $text text
    return "error: $text"
}

proc try_open {uri {options {}}} {
    outcome {
        session_close [guarded_open $uri $options]
    }
}

proc revoke {app binding} {
    sql "UPDATE via_generations SET status='revoked' WHERE app=[quote $app] AND binding=[quote $binding]"
}

# Where the data is; for tests that damage it.
proc data_file {app} {
    return $::env(VIA_STATE_DIR)/addons/sqlite/[dict get $app addon_id]/data.sqlite
}

# The reasons refused so far, without repeats: {instance code …}.
proc refusals {} {
    sql "SELECT DISTINCT coalesce(instance,''), reason FROM via_audit
         WHERE outcome='refused' ORDER BY 1,2" -list
}
