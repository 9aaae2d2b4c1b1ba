# The focus of this file is what the tests of the tables share: a root with something in every
# table, and everything that can be seen of a root, to be compared.

# App `api` with add-on `app-db` bound as DATABASE, deployed, with a running instance and a token,
# a rotated binding OLD, the unbound add-on `spare`, and an app `web` of its own.
proc furnished {} {
    via_root
    dict set ::world token [scratch token]
    sql "
        INSERT INTO via_addons(name,app,bind) VALUES('app-db','api','DATABASE');
        INSERT INTO via_addons(name,app,bind) VALUES('old-db','api','OLD');
        INSERT INTO via_addons(name,app) VALUES('spare','api');
        INSERT INTO via_apps(name) VALUES('web');
        INSERT INTO via_generations(app,binding) VALUES('api','OLD');
        INSERT INTO via_deploys(app,target) VALUES('api','');
        INSERT INTO via_instances(app) VALUES('api');
        INSERT INTO via_tokens(kind,instance,path)
            SELECT 'workload', id, [quote [dict get $::world token]] FROM via_instances;
        INSERT INTO via_snapshots(addon,reason) VALUES('app-db','kept');
        UPDATE via_settings SET value='0' WHERE name='destroy_retention_s';"
    dict set ::world root $::env(VIA_STATE_DIR)
}

set tables {via_apps via_addons via_bindings via_generations via_releases via_release_bindings
    via_deploys via_instances via_tokens via_operations via_audit via_settings via_readiness
    via_snapshots via_exports}

proc rows_query {} {
    join [lmap table $::tables { format {SELECT '%s', * FROM %s ORDER BY rowid;} $table $table }]
}

# Every row of every table, as another process sees it.
proc rows {} { sql [rows_query] }

# Every file and folder of the root; SQLite's own logs come and go.
proc files {{folder {}}} {
    set found {}
    foreach path [lsort [glob -nocomplain -tails -directory $::env(VIA_STATE_DIR) \
            [file join $folder *]]] {
        if {[regexp -- {-(wal|shm)$} $path]} continue
        lappend found $path
        if {[file isdirectory $::env(VIA_STATE_DIR)/$path]} { lappend found {*}[files $path] }
    }
    return $found
}

proc seen {} { list [rows] [files] }

# What differs between two answers of `seen`; empty when nothing does.
proc difference {before after} {
    lassign $before rows files
    lassign $after rows2 files2
    set found {}
    foreach {name old new} [list row [split $rows \n] [split $rows2 \n] file $files $files2] {
        foreach x $old { if {$x ni $new} { lappend found "$name gone: $x" } }
        foreach x $new { if {$x ni $old} { lappend found "$name new: $x" } }
    }
    return [join $found \n]
}

# A change of every writable table and every kind; names what it is for the sentence of a failure.
proc changes {} {
    string map [list TOKEN [dict get $::world token].new] {
        {register an app} {INSERT INTO via_apps(name) VALUES('n1')}
        {forget an app} {DELETE FROM via_apps WHERE name='web'}
        {create an add-on} {INSERT INTO via_addons(name,app) VALUES('n1','api')}
        {create an add-on, its app and binding}
            {INSERT INTO via_addons(name,app,bind,target,options)
             VALUES('n1','napp','DATABASE','prod','{"block_writes":true}')}
        {create two add-ons} {INSERT INTO via_addons(name,app) VALUES('n1','api'),('n2','api')}
        {suspend} {UPDATE via_addons SET state='suspended' WHERE name='app-db'}
        {set options} {UPDATE via_addons SET options='{"block_reads":true}' WHERE name='spare'}
        {destroy} {DELETE FROM via_addons WHERE name='spare'}
        {destroy by force} {DELETE FROM via_addons WHERE name='app-db' AND force=1}
        {bind} {INSERT INTO via_bindings(app,binding,addon) VALUES('api','NEXT','spare')}
        {change a mode} {UPDATE via_bindings SET mode='ro' WHERE binding='DATABASE'}
        {unbind} {DELETE FROM via_bindings WHERE binding='DATABASE'}
        {rotate} {INSERT INTO via_generations(app,binding) VALUES('api','DATABASE')}
        {rotate with grace}
            {INSERT INTO via_generations(app,binding,grace_s) VALUES('api','OLD',60)}
        {revoke} {UPDATE via_generations SET status='revoked' WHERE binding='OLD'}
        {release} {INSERT INTO via_releases(app,artifact) VALUES('api','sha256:1')}
        {deploy} {INSERT INTO via_deploys(app,reason) VALUES('api','why not')}
        {stop a deploy} {UPDATE via_deploys SET state='stopped'}
        {register an instance} {INSERT INTO via_instances(app,pid) VALUES('api',7)}
        {stop an instance} {UPDATE via_instances SET state='stopped'}
        {move a lease} {UPDATE via_instances SET lease_expires_at='2044-01-01T00:00:00.000Z'}
        {mint a workload token}
            {INSERT INTO via_tokens(kind,instance,path,ttl_s)
             SELECT 'workload', id, 'TOKEN', 100000 FROM via_instances}
        {mint a generation token}
            {INSERT INTO via_tokens(kind,instance,binding,path)
             SELECT 'generation', id, 'DATABASE', 'TOKEN' FROM via_instances}
        {capture a snapshot} {INSERT INTO via_snapshots(addon,app) VALUES('spare','api')}
        {delete a snapshot} {DELETE FROM via_snapshots}
        {export} {INSERT INTO via_exports(addon,app,path) VALUES('spare','api','TOKEN')}
        {repair} {UPDATE via_storage SET repair=1 WHERE addon='spare'}
        {change a setting} {UPDATE via_settings SET value='77' WHERE name='handover_s'}
        {reset a setting} {UPDATE via_settings SET value=NULL WHERE name='destroy_retention_s'}
    }
}
