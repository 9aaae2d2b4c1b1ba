# pkgIndex.tcl: the package `via`. The shared library beside it is loaded with the first
# connection through the agent, so that an app with a local file runs without it.
package ifneeded via 0.1.0 [list source -encoding utf-8 [file join $dir via.tcl]]
