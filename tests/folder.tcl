# The focus of this file is a new folder whose name no pattern of a test is found in.

# Make the folder `stem` and eight letters that are neither words nor numbers; apps run as other
# users, and may enter it.
proc folder_make {stem} {
    while 1 {
        set path $stem
        for {set i 0} {$i < 8} {incr i} { append path [string index WXYZ [expr {int(rand() * 4)}]] }
        if {![catch {exec mkdir -m 0755 $path} why]} { return $path }
        if {![file exists $path]} { error $why }
    }
}
