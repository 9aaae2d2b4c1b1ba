# server.tcl: a small HTTP/1.1 server: strict, bounded in bytes, time and connections.
#
# Knows nothing of the tracker. The application is a command prefix: called with a request, a dict
# of method, path, query, form, cookies and headers, it returns a dict of status, headers (a flat
# list) and body (text, or bytes with `binary 1`). Bodies come by Content-Length only.
namespace eval server {
    variable application {}
    variable clients 0
    variable clients_max 200
    variable header_max 16384
    variable body_max 262144
    variable request_ms 15000
    variable idle_ms 30000
    variable reasons {
        200 OK 303 "See Other" 304 "Not Modified" 400 "Bad Request" 403 Forbidden 404 "Not Found"
        405 "Method Not Allowed" 408 "Request Timeout" 411 "Length Required"
        413 "Content Too Large" 422 "Unprocessable Content" 429 "Too Many Requests"
        431 "Request Header Fields Too Large" 500 "Internal Server Error"
        501 "Not Implemented" 503 "Service Unavailable" 505 "HTTP Version Not Supported"
    }
}

# Serve on HOST:PORT, port 0 for any; returns the port.
proc server::listen {host port command} {
    variable application $command
    set listener [socket -server ::server::accept -myaddr $host $port]
    return [lindex [chan configure $listener -sockname] 2]
}

proc server::accept {channel args} {
    variable clients
    variable clients_max
    if {$clients >= $clients_max} {
        close $channel
        return
    }
    incr clients
    chan configure $channel -blocking 0 -translation binary -buffering full
    coroutine ::server::client-$channel ::server::serve $channel
}

# One connection from its first request to its last.
proc server::serve {channel} {
    variable clients
    variable idle_ms
    variable request_ms
    set buffer {}
    try {
        while 1 {
            set head [take_head $channel buffer $idle_ms]
            set request [parse_head $head]
            set length [dict get $request length]
            set deadline [expr {[clock milliseconds] + $request_ms}]
            while {[string length $buffer] < $length} {
                more $channel buffer $deadline
            }
            set body [string range $buffer 0 $length-1]
            set buffer [string range $buffer $length end]
            respond $channel $request [run $request $body]
            if {[dict get $request close]} break
        }
    } trap HTTP {message options} {
        set status [lindex [dict get $options -errorcode] 1]
        catch {
            respond $channel {method GET close 1} [dict create status $status \
                headers {Content-Type {text/plain; charset=utf-8}} body $message\n]
            # Read on for a second: closing over unread bytes would tear the answer away.
            chan close $channel write
            set deadline [expr {[clock milliseconds] + 1000}]
            while 1 { set buffer {}; more $channel buffer $deadline }
        }
    } trap GONE {} {
        # The client left, or was silent for too long.
    } on error {message options} {
        puts stderr "tracker: [dict get $options -errorinfo]"
    } finally {
        incr clients -1
        catch {close $channel}
    }
}

# Wait for bytes until DEADLINE (ms) and append them to the variable BUFFER.
proc server::more {channel bufferName deadline} {
    upvar 1 $bufferName buffer
    set me [info coroutine]
    set timer [after [expr {max(0, $deadline - [clock milliseconds])}] [list $me late]]
    chan event $channel readable [list $me ready]
    set event [yield]
    after cancel $timer
    chan event $channel readable {}
    if {$event eq "late"} {
        if {$buffer eq {}} {
            throw GONE idle
        }
        throw {HTTP 408} "The request took too long."
    }
    if {[catch {read $channel 65536} bytes] || ($bytes eq {} && [eof $channel])} {
        throw GONE closed
    }
    append buffer $bytes
}

# Cut the request's head off the buffer. The first byte may take idle_ms, the rest request_ms.
proc server::take_head {channel bufferName wait_ms} {
    variable header_max
    variable request_ms
    upvar 1 $bufferName buffer
    set deadline [expr {[clock milliseconds] + ($buffer eq {} ? $wait_ms : $request_ms)}]
    while {[set end [string first \r\n\r\n $buffer]] < 0} {
        if {[string length $buffer] > $header_max} {
            throw {HTTP 431} "The request's header is too long."
        }
        set fresh [expr {$buffer eq {}}]
        more $channel buffer $deadline
        if {$fresh} {
            set deadline [expr {[clock milliseconds] + $request_ms}]
        }
    }
    if {$end > $header_max} {
        throw {HTTP 431} "The request's header is too long."
    }
    set head [string range $buffer 0 $end-1]
    set buffer [string range $buffer $end+4 end]
    return $head
}

# Request line and header fields (RFC 9112), refusing all that two readers could read in two ways.
proc server::parse_head {head} {
    if {[regexp {[^\t\x20-\x7e\x80-\xff\r\n]} $head] || [regexp {\r(?!\n)|(^|[^\r])\n} $head]} {
        throw {HTTP 400} "The request holds control characters."
    }
    set lines [split [string map {\r\n \n} $head] \n]
    if {![regexp {^([A-Z]+) (/[\x21-\x7e]*) HTTP/(\d)\.(\d)$} [lindex $lines 0] -> method target major minor]} {
        throw {HTTP 400} "The request line is malformed."
    }
    if {$major != 1} {
        throw {HTTP 505} "This server speaks HTTP/1.1."
    }
    set headers {}
    foreach line [lrange $lines 1 end] {
        if {![regexp {^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$} $line -> name value]} {
            throw {HTTP 400} "A header field is malformed."
        }
        set name [string tolower $name]
        if {[dict exists $headers $name] && $name in {host content-length cookie}} {
            throw {HTTP 400} "The field $name is there twice."
        }
        dict set headers $name $value
    }
    if {$minor >= 1 && ![dict exists $headers host]} {
        throw {HTTP 400} "The Host field is missing."
    }
    set length [body_length $method $headers]
    set connection [string tolower [field $headers connection]]
    set close [expr {$minor == 0 || "close" in [split [string map {, { }} $connection]]}]
    return [dict create method $method target $target headers $headers length $length close $close]
}

proc server::body_length {method headers} {
    variable body_max
    if {[dict exists $headers transfer-encoding]} {
        throw {HTTP 501} "Bodies need a Content-Length here."
    }
    if {![dict exists $headers content-length]} {
        if {$method eq "POST"} {
            throw {HTTP 411} "Bodies need a Content-Length here."
        }
        return 0
    }
    set length [dict get $headers content-length]
    if {![regexp {^[0-9]{1,18}$} $length]} {
        throw {HTTP 400} "The Content-Length is malformed."
    }
    if {[scan $length %lld length] && $length > $body_max} {
        throw {HTTP 413} "The request's body is too long."
    }
    return $length
}

proc server::field {headers name {default {}}} {
    return [expr {[dict exists $headers $name] ? [dict get $headers $name] : $default}]
}

# Hand the request to the application.
proc server::run {request body} {
    variable application
    set headers [dict get $request headers]
    regexp {^([^?]*)\??(.*)$} [dict get $request target] -> path query
    set type [string trim [lindex [split [field $headers content-type] ";"] 0]]
    set form [expr {$type eq "application/x-www-form-urlencoded" ? [fields $body] : {}}]
    set method [dict get $request method]
    return [{*}$application [dict create method [expr {$method eq "HEAD" ? "GET" : $method}] \
        path [decode $path] target [dict get $request target] query [fields $query] \
        form $form cookies [cookies [field $headers cookie]] headers $headers]]
}

# name=value&… -> dict
proc server::fields {text} {
    set out {}
    foreach pair [split $text &] {
        regexp {^([^=]*)=?(.*)$} $pair -> name value
        dict set out [decode [string map {+ { }} $name]] [decode [string map {+ { }} $value]]
    }
    return $out
}

proc server::decode {text} {
    if {[regexp {%(?![0-9A-Fa-f]{2})} $text]} {
        throw {HTTP 400} "A percent sign stands without its two digits."
    }
    if {[string first % $text] >= 0} {
        # Brackets, dollars and backslashes arrive encoded or are made harmless before subst.
        set quoted [string map {\\ \\\\ \[ \\\[ \$ \\\$} $text]
        set text [subst [regsub -all {%([0-9A-Fa-f]{2})} $quoted {\\u00\1}]]
    }
    return [encoding convertfrom utf-8 $text]
}

proc server::cookies {text} {
    set out {}
    foreach pair [split $text ";"] {
        if {[regexp {^\s*([^=\s]+)=(\S*)\s*$} $pair -> name value]} {
            dict set out $name $value
        }
    }
    return $out
}

proc server::respond {channel request answer} {
    variable reasons
    set status [dict get $answer status]
    set body [dict get $answer body]
    if {![dict exists $answer binary]} {
        set body [encoding convertto utf-8 $body]
    }
    set lines [list "HTTP/1.1 $status [field $reasons $status Unknown]"]
    foreach {name value} [dict get $answer headers] {
        lappend lines "$name: [regsub -all {[^\x20-\x7e]} $value {}]"
    }
    lappend lines "Date: [clock format [clock seconds] -gmt 1 -format {%a, %d %b %Y %H:%M:%S GMT}]"
    lappend lines "Content-Length: [string length $body]"
    lappend lines "Connection: [expr {[dict get $request close] ? "close" : "keep-alive"}]"
    puts -nonewline $channel "[join $lines \r\n]\r\n\r\n"
    if {[dict get $request method] ne "HEAD"} {
        puts -nonewline $channel $body
    }
    flush $channel
}
