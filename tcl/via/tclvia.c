/* tclvia.c: libvia for Tcl: one command a connection, and nothing decided here.
 *
 *     via::native BINDING                    -> COMMAND
 *     COMMAND query|execute SQL NULL PARAMS  -> dict columns, rows, update_count, last_insert_rowid
 *     COMMAND setup SQL                      -> the same
 *     COMMAND timeout MS
 *
 * NULL is what SQL's NULL reads as; PARAMS is a list of {name type value} with an empty name for
 * positional ones and type null, integer, real, text or blob. via.tcl makes them.
 * Errors set -errorcode {VIA code sqlite-name} and the return option -via, a dict. */
#include "via/via.h"

#include <stdlib.h>
#include <tcl.h>

#define PACKAGE_VERSION "0.1.0"

/* Parameters of one call, with the UTF-8 that their texts were turned into. */
struct params {
    struct via_param *list;
    Tcl_DString *texts; /* two a parameter: name and value */
    size_t count;
};

/* What a connection's command and all of its calls need. */
struct handle {
    struct via_connection *db;
    Tcl_Encoding utf8;
};

static void
failure_option(Tcl_Obj *options, const char *key, int value)
{
    Tcl_DictObjPut(NULL, options, Tcl_NewStringObj(key, -1), Tcl_NewIntObj(value));
}

/* Leave *why as the interpreter's error. Texts come as UTF-8 from libvia. */
static int
failure_raise(Tcl_Interp *interp, const struct via_failure *why)
{
    Tcl_Obj *facts = Tcl_NewDictObj();
    Tcl_Obj *options;

    Tcl_SetObjResult(interp, Tcl_NewStringObj(why->message, -1));
    Tcl_SetErrorCode(interp, "VIA", why->code, why->sqlite, NULL);
    failure_option(facts, "http", why->http);
    failure_option(facts, "retryable", why->retryable);
    failure_option(facts, "maybe_done", why->maybe_done);
    failure_option(facts, "retry_after", why->retry_after_s);
    options = Tcl_GetReturnOptions(interp, TCL_ERROR);
    Tcl_DictObjPut(NULL, options, Tcl_NewStringObj("-via", -1), facts);
    return Tcl_SetReturnOptions(interp, options);
}

/* Tcl's strings are almost UTF-8: NUL and characters beyond U+FFFF differ. */
static const char *
text_export(Tcl_Encoding utf8, Tcl_Obj *obj, Tcl_DString *out)
{
    int n;
    const char *text = Tcl_GetStringFromObj(obj, &n);

    return Tcl_UtfToExternalDString(utf8, text, n, out);
}

static Tcl_Obj *
text_import(Tcl_Encoding utf8, const char *bytes, size_t n)
{
    Tcl_DString ds;
    Tcl_Obj *obj;

    Tcl_ExternalToUtfDString(utf8, bytes, (int)n, &ds);
    obj = Tcl_NewStringObj(Tcl_DStringValue(&ds), Tcl_DStringLength(&ds));
    Tcl_DStringFree(&ds);
    return obj;
}

static void
params_deinit(struct params *p)
{
    for (size_t i = 0; i < 2 * p->count; i++)
        Tcl_DStringFree(&p->texts[i]);
    free(p->texts);
    free(p->list);
}

static int
param_value(Tcl_Interp *interp, Tcl_Encoding utf8, Tcl_Obj *type, Tcl_Obj *obj, Tcl_DString *text,
            struct via_value *out)
{
    static const char *const types[] = {"null", "integer", "real", "text", "blob", NULL};
    Tcl_WideInt wide;
    int index;
    int n;

    if (Tcl_GetIndexFromObj(interp, type, types, "type", TCL_EXACT, &index) != TCL_OK)
        return TCL_ERROR;
    memset(out, 0, sizeof *out);
    out->type = (enum via_value_type)index;
    switch (out->type) {
    case VIA_VALUE_INTEGER:
        if (Tcl_GetWideIntFromObj(interp, obj, &wide) != TCL_OK)
            return TCL_ERROR;
        out->integer = wide;
        return TCL_OK;
    case VIA_VALUE_REAL:
        return Tcl_GetDoubleFromObj(interp, obj, &out->real);
    case VIA_VALUE_TEXT:
        out->bytes = text_export(utf8, obj, text);
        out->size = (size_t)Tcl_DStringLength(text);
        return TCL_OK;
    case VIA_VALUE_BLOB:
        out->bytes = Tcl_GetByteArrayFromObj(obj, &n);
        out->size = (size_t)n;
        return TCL_OK;
    case VIA_VALUE_NULL:
        break;
    }
    return TCL_OK;
}

static int
params_init(Tcl_Interp *interp, Tcl_Encoding utf8, Tcl_Obj *list, struct params *p)
{
    Tcl_Obj **triples;
    int count;

    if (Tcl_ListObjGetElements(interp, list, &count, &triples) != TCL_OK)
        return TCL_ERROR;
    *p = (struct params){calloc((size_t)count + 1, sizeof *p->list),
                         calloc(2 * (size_t)count + 1, sizeof *p->texts), (size_t)count};
    if (!p->list || !p->texts) {
        p->count = 0;
        Tcl_SetObjResult(interp, Tcl_NewStringObj("no memory for parameters", -1));
        return TCL_ERROR;
    }
    for (int i = 0; i < 2 * count; i++)
        Tcl_DStringInit(&p->texts[i]);
    for (int i = 0; i < count; i++) {
        Tcl_Obj **part;
        int parts;

        if (Tcl_ListObjGetElements(interp, triples[i], &parts, &part) != TCL_OK || parts != 3) {
            Tcl_SetObjResult(interp, Tcl_NewStringObj("a parameter is {name type value}", -1));
            return TCL_ERROR;
        }
        if (Tcl_GetCharLength(part[0]) > 0)
            p->list[i].name = text_export(utf8, part[0], &p->texts[2 * i]);
        if (param_value(interp, utf8, part[1], part[2], &p->texts[2 * i + 1], &p->list[i].value) !=
            TCL_OK)
            return TCL_ERROR;
    }
    return TCL_OK;
}

static Tcl_Obj *
value_import(Tcl_Encoding utf8, struct via_value v, Tcl_Obj *null)
{
    switch (v.type) {
    case VIA_VALUE_INTEGER:
        return Tcl_NewWideIntObj(v.integer);
    case VIA_VALUE_REAL:
        return Tcl_NewDoubleObj(v.real);
    case VIA_VALUE_TEXT:
        return text_import(utf8, v.bytes, v.size);
    case VIA_VALUE_BLOB:
        return Tcl_NewByteArrayObj(v.bytes, (int)v.size);
    case VIA_VALUE_NULL:
        break;
    }
    return null;
}

static Tcl_Obj *
rows_import(Tcl_Encoding utf8, const struct via_result *r, Tcl_Obj *null)
{
    Tcl_Obj *rows = Tcl_NewListObj(0, NULL);

    for (size_t i = 0; i < via_result_row_count(r); i++) {
        Tcl_Obj *row = Tcl_NewListObj(0, NULL);

        for (size_t k = 0; k < via_result_column_count(r); k++)
            Tcl_ListObjAppendElement(NULL, row,
                                     value_import(utf8, via_result_value(r, i, k), null));
        Tcl_ListObjAppendElement(NULL, rows, row);
    }
    return rows;
}

static Tcl_Obj *
result_import(Tcl_Encoding utf8, const struct via_result *r, Tcl_Obj *null)
{
    Tcl_Obj *columns = Tcl_NewListObj(0, NULL);
    Tcl_Obj *out = Tcl_NewDictObj();

    for (size_t i = 0; i < via_result_column_count(r); i++) {
        const char *name = via_result_column(r, i);

        Tcl_ListObjAppendElement(NULL, columns, text_import(utf8, name, strlen(name)));
    }
    Tcl_DictObjPut(NULL, out, Tcl_NewStringObj("columns", -1), columns);
    Tcl_DictObjPut(NULL, out, Tcl_NewStringObj("rows", -1), rows_import(utf8, r, null));
    Tcl_DictObjPut(NULL, out, Tcl_NewStringObj("update_count", -1),
                   Tcl_NewWideIntObj(via_result_update_count(r)));
    Tcl_DictObjPut(NULL, out, Tcl_NewStringObj("last_insert_rowid", -1),
                   Tcl_NewWideIntObj(via_result_last_insert_rowid(r)));
    return out;
}

enum verb { VERB_QUERY, VERB_EXECUTE, VERB_SETUP };

static int
handle_run(struct handle *h, Tcl_Interp *interp, enum verb verb, Tcl_Obj *const args[])
{
    struct params p = {NULL, NULL, 0};
    struct via_result *r = NULL;
    struct via_failure why;
    Tcl_DString ds;
    const char *sql = text_export(h->utf8, args[0], &ds);
    int rc = TCL_OK;

    if (strlen(sql) != (size_t)Tcl_DStringLength(&ds)) {
        memset(&why, 0, sizeof why);
        strcpy(why.code, "bad_request");
        strcpy(why.message, "the SQL text contains a NUL");
        rc = failure_raise(interp, &why);
        goto done;
    }
    if (verb != VERB_SETUP)
        rc = params_init(interp, h->utf8, args[2], &p);
    if (rc != TCL_OK)
        goto done;
    if (verb == VERB_SETUP)
        r = via_setup(h->db, sql, &why);
    else
        r = (verb == VERB_QUERY ? via_query : via_execute)(h->db, sql, p.list, p.count, &why);
    if (r)
        Tcl_SetObjResult(interp, result_import(h->utf8, r, verb == VERB_SETUP ? NULL : args[1]));
    else
        rc = failure_raise(interp, &why);
done:
    via_result_free(r);
    params_deinit(&p);
    Tcl_DStringFree(&ds);
    return rc;
}

static int
handle_command(ClientData data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    static const char *const verbs[] = {"query", "execute", "setup", "timeout", NULL};
    static const char *const usage[] = {"sql null params", "sql null params", "sql", "ms"};
    static const int words[] = {5, 5, 3, 3};
    struct handle *h = data;
    long timeout_ms;
    int verb;

    if (objc < 2) {
        Tcl_WrongNumArgs(interp, 1, objv, "query|execute|setup|timeout …");
        return TCL_ERROR;
    }
    if (Tcl_GetIndexFromObj(interp, objv[1], verbs, "operation", 0, &verb) != TCL_OK)
        return TCL_ERROR;
    if (objc != words[verb]) {
        Tcl_WrongNumArgs(interp, 2, objv, usage[verb]);
        return TCL_ERROR;
    }
    if (verb <= VERB_SETUP)
        return handle_run(h, interp, (enum verb)verb, objv + 2);
    if (Tcl_GetLongFromObj(interp, objv[2], &timeout_ms) != TCL_OK)
        return TCL_ERROR;
    via_set_timeout(h->db, timeout_ms);
    return TCL_OK;
}

static void
handle_free(ClientData data)
{
    struct handle *h = data;

    via_close(h->db);
    Tcl_FreeEncoding(h->utf8);
    free(h);
}

static int
native_command(ClientData data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    static unsigned made;
    struct via_failure why = {.code = "out_of_memory", .message = "no memory for a connection"};
    struct handle *h;
    Tcl_Obj *name;

    (void)data;
    if (objc != 2) {
        Tcl_WrongNumArgs(interp, 1, objv, "binding");
        return TCL_ERROR;
    }
    h = calloc(1, sizeof *h);
    if (!h)
        return failure_raise(interp, &why);
    h->db = via_connect(Tcl_GetString(objv[1]), &why);
    if (!h->db) {
        free(h);
        return failure_raise(interp, &why);
    }
    h->utf8 = Tcl_GetEncoding(interp, "utf-8");
    name = Tcl_ObjPrintf("::via::connection%u", ++made);
    Tcl_CreateObjCommand(interp, Tcl_GetString(name), handle_command, h, handle_free);
    Tcl_SetObjResult(interp, name);
    return TCL_OK;
}

static int
env_command(ClientData data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    struct via_failure why = {0};
    Tcl_Encoding utf8;
    Tcl_DString ds;
    char *value;

    (void)data;
    if (objc != 2) {
        Tcl_WrongNumArgs(interp, 1, objv, "name");
        return TCL_ERROR;
    }
    value = via_env_get(Tcl_GetString(objv[1]), &why);
    if (!value)
        return failure_raise(interp, &why);
    utf8 = Tcl_GetEncoding(interp, "utf-8");
    Tcl_ExternalToUtfDString(utf8, value, -1, &ds);
    Tcl_DStringResult(interp, &ds);
    Tcl_FreeEncoding(utf8);
    via_env_free(value);
    return TCL_OK;
}

DLLEXPORT int Tclvia_Init(Tcl_Interp *interp);

VIA_API int
Tclvia_Init(Tcl_Interp *interp)
{
    if (!Tcl_InitStubs(interp, "8.6", 0))
        return TCL_ERROR;
    Tcl_CreateNamespace(interp, "::via", NULL, NULL);
    Tcl_CreateObjCommand(interp, "::via::native", native_command, NULL, NULL);
    Tcl_CreateObjCommand(interp, "::via::native_env", env_command, NULL, NULL);
    return Tcl_PkgProvide(interp, "via::native", PACKAGE_VERSION);
}
