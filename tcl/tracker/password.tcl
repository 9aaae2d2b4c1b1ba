# password.tcl: password hashes and random tokens.
#
# Hashes are the system's own crypt(3): yescrypt, memory-hard, about 20 ms, or SHA-512 with many
# rounds where that is missing. Tcl reaches it through perl, which every Debian system has; the
# password travels by pipe, never as an argument. A hash loop in Tcl itself would allow a
# few hundred rounds in that time, which is no protection.
package require sha256

namespace eval password {
    variable crypt {local $/; my $p = <STDIN>; my $h = crypt($p, $ARGV[0]); print defined $h ? $h : "";}
}

proc password::hash {password} {
    foreach prefix {{$y$j9T$} {$6$rounds=200000$}} {
        set out [crypt $password $prefix[string range [token] 0 15]\$]
        if {[string equal -length 3 $prefix $out] && [string length $out] > 60} {
            return $out
        }
    }
    error "crypt(3) knows neither yescrypt nor SHA-512"
}

proc password::matches {password hash} {
    return [expr {[string length $hash] > 0 && [crypt $password $hash] eq $hash}]
}

proc password::crypt {password setting} {
    variable crypt
    return [exec perl -e $crypt -- $setting << $password]
}

# 256 random bits in hex.
proc password::token {} {
    set in [open /dev/urandom rb]
    set bytes [read $in 32]
    close $in
    return [binary encode hex $bytes]
}

proc password::digest {text} {
    return [sha2::sha256 -hex -- [encoding convertto utf-8 $text]]
}
