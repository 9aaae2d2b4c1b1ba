/* The focus of this file is readiness: each layer alone, the first that blocks, and what is said.
 */
#include "check.h"
#include "rules/readiness.h"

#include <string.h>

static struct via_readiness_facts
all_right(void)
{
    return (struct via_readiness_facts){
        .addon = "app-db",
        .app = "api",
        .binding = "DATABASE",
        .target = "prod",
        .addon_state = VIA_ADDON_IS_READY,
        .storage_present = true,
        .storage_readable = true,
        .storage_writable = true,
        .storage_sound = true,
        .snapshot = "",
        .backup = "",
        .deployed = true,
        .has_generation = true,
        .instance_running = true,
    };
}

/* Check what is said of `f`: `layers` is the four flags as 0 and 1; `line` part of the remedy. */
static void
check_blocked(const char *what, const struct via_readiness_facts *f, const char *layers,
              const char *code, const char *owner, const char *line)
{
    struct via_readiness r;

    via_readiness_decide(f, &r);
    CHECK(r.metadata_ready == (layers[0] == '1') && r.storage_ready == (layers[1] == '1') &&
              r.binding_ready == (layers[2] == '1') && r.runtime_ready == (layers[3] == '1'),
          "%s: the layers are %s", what, layers);
    CHECK(!r.usable_by_app && strcmp(via_status_word(r.blocking), code) == 0, "%s: %s blocks", what,
          code);
    CHECK(strcmp(via_status_owner(r.blocking), owner) == 0, "%s: %s mends it", what, owner);
    CHECK(r.reason[0] && strstr(r.remediation, line), "%s: the line to type is %s", what,
          r.remediation);
}

int
main(void)
{
    struct via_readiness_facts f = all_right();
    struct via_readiness r;

    via_readiness_decide(&f, &r);
    CHECK(r.metadata_ready && r.storage_ready && r.binding_ready && r.runtime_ready &&
              r.usable_by_app && r.blocking == VIA_OK && !r.reason[0] && !r.remediation[0],
          "with everything there it is usable, and nothing is said");

    f.addon_state = VIA_ADDON_IS_SUSPENDED;
    check_blocked("suspended", &f, "0111", "addon_suspended", "operator",
                  "via addon resume app-db");
    f.addon_state = VIA_ADDON_IS_DRAINING;
    check_blocked("draining", &f, "0111", "addon_draining", "operator", "via status");
    f.addon_state = VIA_ADDON_IS_PROVISIONING;
    check_blocked("being made", &f, "0111", "addon_busy", "operator", "via status");
    f.addon_state = VIA_ADDON_IS_FAILED;
    check_blocked("failed with data", &f, "0111", "addon_failed_with_data", "operator", "--repair");
    f.storage_present = false;
    check_blocked("failed", &f, "0011", "metadata_missing", "operator", "via addon create");
    f.storage_present = true;
    f.addon_state = VIA_ADDON_IS_DESTROYED;
    check_blocked("destroyed", &f, "0111", "metadata_missing", "operator", "via addon create");

    f = all_right();
    f.storage_present = false;
    check_blocked(
        "no storage", &f, "1011", "storage_missing", "operator",
        "via addon ensure sqlite app-db --app api --bind DATABASE --target prod --repair");
    f.binding = "";
    check_blocked("no storage and no binding", &f, "1001", "storage_missing", "operator",
                  "--repair");
    f = all_right();
    f.storage_readable = false;
    check_blocked("unreadable", &f, "1011", "storage_unreadable", "operator", "via doctor");
    f = all_right();
    f.storage_present = false;
    f.obstacle = "is a folder";
    f.obstacle_path = "/there";
    check_blocked("a folder in its place", &f, "1011", "storage_unreadable", "operator",
                  "ls -ld /there");
    via_readiness_decide(&f, &r);
    CHECK(strcmp(r.reason, "the database file of add-on app-db is a folder") == 0,
          "what is there is said");
    f = all_right();
    f.storage_sound = false;
    check_blocked("damaged", &f, "1011", "storage_corrupt", "operator",
                  "via addon destroy app-db --app api --force && via addon create sqlite app-db");
    via_readiness_decide(&f, &r);
    CHECK(strstr(r.reason, "neither a snapshot nor a backup"), "that all is lost is said");
    f.backup = "/b.tar.zst";
    check_blocked("damaged, with a backup", &f, "1011", "storage_corrupt", "operator",
                  "via backup restore /b.tar.zst --state-dir via-restored");
    via_readiness_decide(&f, &r);
    CHECK(!strstr(r.reason, "neither"), "and only then");
    f.snapshot = "snap_1";
    check_blocked("damaged, with a snapshot", &f, "1011", "storage_corrupt", "operator",
                  "via addon restore app-db --app api --snapshot snap_1 --drain");
    f.storage_present = false;
    check_blocked("lost, with a snapshot", &f, "1011", "storage_missing", "operator",
                  "via addon restore app-db --app api --snapshot snap_1 --drain");
    f = all_right();
    f.damage = "addon.snapshot";
    f.damage_at = "2025-01-31T12:00:00.000Z";
    check_blocked("found damaged", &f, "1011", "storage_corrupt", "operator",
                  "via addon shell app-db --app api .dump");
    via_readiness_decide(&f, &r);
    CHECK(strstr(r.reason, "as addon.snapshot found at 2025-01-31T12:00:00.000Z"),
          "who found it, and when, is said");
    f.snapshot = "snap_1";
    check_blocked("found damaged, with a snapshot", &f, "1011", "storage_corrupt", "operator",
                  "via addon restore app-db --app api --snapshot snap_1 --drain");
    f = all_right();
    f.storage_writable = false;
    check_blocked("unwritable", &f, "1011", "storage_readonly", "operator", "via doctor");

    f = all_right();
    f.binding = "";
    check_blocked("unbound", &f, "1101", "binding_missing", "operator",
                  "via addon bind api app-db");
    f = all_right();
    f.deployed = false;
    check_blocked("not deployed", &f, "1101", "binding_not_deployed", "app_owner",
                  "vary app deploy api --target prod");

    f.target = "";
    f.serving = "staging";
    check_blocked("not deployed, with a deploy that would take it", &f, "1101",
                  "binding_not_deployed", "app_owner", "vary app deploy api --target staging");
    f = all_right();
    f.has_generation = false;
    check_blocked("all revoked", &f, "1101", "generation_revoked", "app_owner",
                  "via addon rotate-credentials app-db --app api --binding DATABASE --target prod");
    f = all_right();
    f.block = "";
    check_blocked("reads blocked", &f, "0111", "addon_blocked", "operator", "block_reads=null");
    f.block = "an audit";
    via_readiness_decide(&f, &r);
    CHECK(strstr(r.reason, ": an audit"), "and the operator's reason is told: %s", r.reason);

    f = all_right();
    f.instance_running = false;
    check_blocked("no instance", &f, "1110", "runtime_not_running", "app_owner", "via run api");
    f.instance_expired = true;
    check_blocked("lease over", &f, "1110", "runtime_identity_expired", "app_owner",
                  "vary app repair api --target prod");
    f.serving = "staging";
    check_blocked("lease over elsewhere", &f, "1110", "runtime_identity_expired", "app_owner",
                  "vary app repair api --target staging");
    f.instance_running = true;
    via_readiness_decide(&f, &r);
    CHECK(r.usable_by_app, "one live instance beside an expired one is enough");

    f = all_right();
    f.addon_state = VIA_ADDON_IS_SUSPENDED;
    f.storage_present = f.deployed = f.instance_running = false;
    check_blocked("everything wrong", &f, "0000", "addon_suspended", "operator", "resume");
    f.addon_state = VIA_ADDON_IS_READY;
    check_blocked("all but metadata wrong", &f, "1000", "storage_missing", "operator", "--repair");
    f.storage_present = true;
    check_blocked("binding and runtime wrong", &f, "1100", "binding_not_deployed", "app_owner",
                  "deploy");
    return check_end();
}
