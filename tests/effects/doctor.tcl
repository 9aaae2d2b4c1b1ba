# The focus of this file is what the doctor's tests share: a root to make ill, what is found, mended
# and pasted.

# Every finding but that no agent runs, as "code subject" lines.
proc findings {{columns {code || ' ' || subject}}} {
    sql "SELECT $columns FROM via_findings WHERE code <> 'agent_not_running'"
}

proc fix {{where fixable}} { sql "UPDATE via_findings SET fix=1 WHERE $where" }

# What the findings of `code` say is to be pasted, pasted in an empty folder.
proc paste {code} {
    set folder [scratch paste]
    file mkdir $folder
    foreach line [split [sql "SELECT remediation FROM via_findings WHERE code='$code'"] \n] {
        exec sh -c "cd $folder && PATH=$::build:\$PATH && $line" 2>@1
    }
    return $folder
}

proc root_file {path} { file join $::env(VIA_STATE_DIR) $path }
proc mode {path} { string range [file attributes [root_file $path] -permissions] end-3 end }
proc chmod {mode path} { file attributes [root_file $path] -permissions $mode }
proc control {statement} { exec sqlite3 [root_file control-plane.db] $statement }

# A root with an add-on `db` bound as DATABASE; its id.
proc addon_root {} {
    via_root
    sql "INSERT INTO via_addons(name,app,bind) VALUES('db','api','DATABASE');
         SELECT id FROM via_addons"
}

proc storage {id {path data.sqlite}} { root_file addons/sqlite/$id/$path }
