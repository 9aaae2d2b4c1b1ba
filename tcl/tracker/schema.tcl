# schema.tcl: the tracker's tables, as numbered scripts that are each applied once.
#
# Append a script to change the schema; never edit one that has been released.
namespace eval schema {
    variable tables {
        CREATE TABLE users(
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL COLLATE NOCASE UNIQUE,
            password TEXT NOT NULL,
            created_at TEXT NOT NULL
        ) STRICT;

        -- The key is a digest of the cookie, so that a copy of the database opens no session.
        CREATE TABLE sessions(
            digest TEXT PRIMARY KEY,
            user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
            expires_at TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX sessions_by_expiry ON sessions(expires_at);

        CREATE TABLE issues(
            id INTEGER PRIMARY KEY,
            author_id INTEGER NOT NULL REFERENCES users,
            title TEXT NOT NULL,
            body TEXT NOT NULL,
            state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL
        ) STRICT;
        CREATE INDEX issues_by_state ON issues(state, id);

        CREATE TABLE comments(
            id INTEGER PRIMARY KEY,
            issue_id INTEGER NOT NULL REFERENCES issues ON DELETE CASCADE,
            author_id INTEGER NOT NULL REFERENCES users,
            body TEXT NOT NULL,
            created_at TEXT NOT NULL
        ) STRICT;
        CREATE INDEX comments_by_issue ON comments(issue_id, id);

        CREATE TABLE labels(
            issue_id INTEGER NOT NULL REFERENCES issues ON DELETE CASCADE,
            name TEXT NOT NULL,
            PRIMARY KEY (issue_id, name)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX labels_by_name ON labels(name, issue_id);
    }
    variable search {
        -- rowid is the issue's id; talk is all of its comments.
        CREATE VIRTUAL TABLE issue_words USING fts5(
            title, body, talk, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3');

        -- Triggers may not write a full-text table where the schema is not trusted. They note
        -- which issues changed, in the same transaction, and store::index carries it over.
        CREATE TABLE unindexed(issue_id INTEGER PRIMARY KEY) STRICT;

        CREATE TRIGGER issue_made AFTER INSERT ON issues BEGIN
            INSERT OR IGNORE INTO unindexed(issue_id) VALUES (new.id);
        END;
        CREATE TRIGGER issue_edited AFTER UPDATE OF title, body ON issues BEGIN
            INSERT OR IGNORE INTO unindexed(issue_id) VALUES (new.id);
        END;
        CREATE TRIGGER issue_gone AFTER DELETE ON issues BEGIN
            INSERT OR IGNORE INTO unindexed(issue_id) VALUES (old.id);
        END;
        CREATE TRIGGER comment_made AFTER INSERT ON comments BEGIN
            INSERT OR IGNORE INTO unindexed(issue_id) VALUES (new.issue_id);
            UPDATE issues SET updated_at = new.created_at WHERE id = new.issue_id;
        END;
    }
}

proc schema::managed {} {
    variable tables
    variable search
    return [dict create version 2 scripts [dict create 1 $tables 2 $search]]
}
