/* A PKCS#11 module that stands in front of another one (SoftHSM) and misbehaves as its control file says.
 *
 * FAULTY_BACKEND  path of the real module
 * FAULTY_CONTROL  file of lines "name value"; read again at every call, so that a test turns faults on and off
 * State that lives on a real token (PIN tries left, logins seen) is kept in FAULTY_CONTROL.name files, so that
 * several processes see one token.
 *
 * Structures are declared here as far as needed (PKCS#11 2.40), so that nothing but a C compiler is required.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long ulong_t;
typedef struct { unsigned char version[2]; void *call[68]; } function_list;
typedef struct { ulong_t type; void *value; ulong_t length; } attribute;
typedef struct { ulong_t mechanism; void *parameter; ulong_t length; } mechanism;
typedef struct { void *mutexes[4]; ulong_t flags; void *reserved; } initialize_args;
typedef struct { char label[32], manufacturer[32], model[16], serial[16]; ulong_t flags; } token_info_head;

enum { INITIALIZE = 0, GET_FUNCTION_LIST = 3, GET_TOKEN_INFO = 6, INIT_PIN = 10, OPEN_SESSION = 12, CLOSE_SESSION = 13,
       CLOSE_ALL = 14, LOGIN = 18, GET_ATTRIBUTE = 24, FIND_INIT = 26, SIGN_INIT = 42, SIGN = 43, WAIT_FOR_SLOT_EVENT = 67 };
enum { MECHANISM_INVALID = 0x70, PIN_INCORRECT = 0xa0, PIN_LOCKED = 0xa4, SESSION_COUNT = 0xb1, CANT_LOCK = 0x0a,
       USER_NOT_LOGGED_IN = 0x101 };
enum { COUNT_LOW = 0x10000, FINAL_TRY = 0x20000, LOCKED = 0x40000 };
#define SM2_MECHANISM 0x80000002UL
#define SM2_KEY_TYPE 0x80000001UL

static function_list *real;
static function_list ours;
static long sessions;
static int sm2_signing, context_login;

static long setting(const char *name, long otherwise) {
    char key[64];
    long value, found = otherwise;
    const char *path = getenv("FAULTY_CONTROL");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (!file) return otherwise;
    while (fscanf(file, "%63s %li", key, &value) == 2)
        if (!strcmp(key, name)) found = value;
    fclose(file);
    return found;
}

static long state(const char *name, long otherwise) {
    char path[4096];
    long value = otherwise;
    snprintf(path, sizeof path, "%s.%s", getenv("FAULTY_CONTROL"), name);
    FILE *file = fopen(path, "r");
    if (!file) return otherwise;
    if (fscanf(file, "%ld", &value) != 1) value = otherwise;
    fclose(file);
    return value;
}

static void keep(const char *name, long value) {
    char path[4096];
    snprintf(path, sizeof path, "%s.%s", getenv("FAULTY_CONTROL"), name);
    FILE *file = fopen(path, "w");
    if (!file) abort();
    fprintf(file, "%ld", value);
    fclose(file);
}

static long tries_left(void) { return state("tries", setting("pin_tries", 1000)); }

static ulong_t initialize(initialize_args *args) {
    if (setting("cant_lock", 0) && args && args->flags) return CANT_LOCK;
    return ((ulong_t (*)(void *))real->call[INITIALIZE])(args);
}

static ulong_t get_token_info(ulong_t slot, token_info_head *info) {
    long gone = setting("removed", 0), left = tries_left();
    if (gone) return (ulong_t)gone;
    ulong_t rv = ((ulong_t (*)(ulong_t, void *))real->call[GET_TOKEN_INFO])(slot, info);
    if (rv || !setting("pin_tries", 0)) goto label;
    info->flags &= ~(ulong_t)(COUNT_LOW | FINAL_TRY | LOCKED);
    if (left == 0) info->flags |= LOCKED;
    else if (left == 1) info->flags |= FINAL_TRY;
    else if (left < setting("pin_tries", 0)) info->flags |= COUNT_LOW;
label:
    if (!rv && setting("gbk_label", 0)) memcpy(info->label, "\xca\xbe\xc0\xfd\xca\xd0                          ", 32);
    if (!rv && setting("latin_label", 0)) memcpy(info->label, "\xff\xfe\xff                             ", 32);
    return rv;
}

static ulong_t open_session(ulong_t slot, ulong_t flags, void *app, void *notify, ulong_t *handle) {
    long cap = setting("session_cap", 0), gone = setting("removed", 0);
    if (gone) return (ulong_t)gone;
    if (cap && sessions >= cap) return SESSION_COUNT;
    ulong_t rv = ((ulong_t (*)(ulong_t, ulong_t, void *, void *, ulong_t *))real->call[OPEN_SESSION])(slot, flags, app,
                                                                                                   notify, handle);
    if (!rv) __sync_fetch_and_add(&sessions, 1);
    return rv;
}

static ulong_t close_session(ulong_t session) {
    ulong_t rv = ((ulong_t (*)(ulong_t))real->call[CLOSE_SESSION])(session);
    if (!rv) __sync_fetch_and_sub(&sessions, 1);
    return rv;
}

static ulong_t close_all(ulong_t slot) {
    sessions = 0;
    return ((ulong_t (*)(ulong_t))real->call[CLOSE_ALL])(slot);
}

static ulong_t login(ulong_t session, ulong_t user, unsigned char *pin, ulong_t length) {
    ulong_t (*call)(ulong_t, ulong_t, void *, ulong_t) = real->call[LOGIN];
    if (user == 2) { context_login = 1; return 0; }
    if (user != 1) return call(session, user, pin, length);
    keep("logins", state("logins", 0) + 1);
    if (setting("hang_login", 0)) for (;;) pause();
    if (tries_left() == 0) return PIN_LOCKED;
    ulong_t rv = call(session, user, pin, length);
    if (rv == PIN_INCORRECT) {
        if (setting("pin_tries", 0)) keep("tries", tries_left() - 1);
        if (tries_left() == 0 && setting("locks_at_once", 0)) return PIN_LOCKED;
        return (ulong_t)setting("wrong_pin_rv", PIN_INCORRECT);
    }
    if (!rv && setting("pin_tries", 0)) keep("tries", setting("pin_tries", 0));
    return rv;
}

static ulong_t init_pin(ulong_t session, unsigned char *pin, ulong_t length) {
    ulong_t rv = ((ulong_t (*)(ulong_t, void *, ulong_t))real->call[INIT_PIN])(session, pin, length);
    if (!rv && setting("pin_tries", 0)) keep("tries", setting("pin_tries", 0));
    return rv;
}

/* CKA_EC_POINT without the OCTET STRING around it, as some vendors give it. */
static ulong_t raw_point(ulong_t session, ulong_t object, attribute *wanted) {
    unsigned char whole[512];
    attribute inner = { wanted->type, whole, sizeof whole };
    ulong_t rv = ((ulong_t (*)(ulong_t, ulong_t, void *, ulong_t))real->call[GET_ATTRIBUTE])(session, object, &inner, 1);
    if (rv) return rv;
    if (wanted->value) memcpy(wanted->value, whole + 2, inner.length - 2);
    wanted->length = inner.length - 2;
    return 0;
}

static ulong_t get_attribute(ulong_t session, ulong_t object, attribute *wanted, ulong_t count) {
    if (count == 1 && wanted->type == 0x181 && setting("raw_point", 0)) return raw_point(session, object, wanted);
    ulong_t rv = ((ulong_t (*)(ulong_t, ulong_t, void *, ulong_t))real->call[GET_ATTRIBUTE])(session, object, wanted,
                                                                                           count);
    if (rv || count != 1) return rv;
    unsigned char *bytes = wanted->value;
    if (wanted->type == 0x03 && setting("gbk_object_labels", 0) && bytes && wanted->length >= 4) {
        memcpy(bytes, "\xca\xbe\xc0\xfd", 4);
        wanted->length = 4;
    }
    if (wanted->type == 0x202 && setting("always_authenticate", 0) && bytes) *bytes = 1;
    if (wanted->type == 0x100 && setting("sm2_keys", 0) && bytes) *(ulong_t *)bytes = SM2_KEY_TYPE;
    if (wanted->type == 0x180 && setting("sm2_keys", 0) && wanted->length == 10 && bytes)
        memcpy(bytes, "\x06\x08\x2a\x81\x1c\xcf\x55\x01\x82\x2d", 10);
    return rv;
}

static ulong_t wait_for_slot_event(ulong_t flags, ulong_t *slot, void *reserved) {
    long told = setting("slot_events", -1);
    keep("waits", state("waits", 0) + 1);
    if (told < 0)
        return ((ulong_t (*)(ulong_t, void *, void *))real->call[WAIT_FOR_SLOT_EVENT])(flags, slot, reserved);
    if (state("waits", 0) > told) for (;;) pause();
    *slot = 0;
    return 0;
}

static ulong_t find_init(ulong_t session, attribute *template, ulong_t count) {
    long gone = setting("removed", 0);
    if (gone) return (ulong_t)gone;
    return ((ulong_t (*)(ulong_t, void *, ulong_t))real->call[FIND_INIT])(session, template, count);
}

static ulong_t sign_init(ulong_t session, mechanism *with, ulong_t key) {
    long gone = setting("removed", 0);
    if (gone) return (ulong_t)gone;
    context_login = 0;
    sm2_signing = with->mechanism == SM2_MECHANISM;
    if (sm2_signing) return setting("sm2_keys", 0) ? 0 : MECHANISM_INVALID;
    if ((long)with->mechanism == setting("no_mechanism", -1)) return MECHANISM_INVALID;
    return ((ulong_t (*)(ulong_t, void *, ulong_t))real->call[SIGN_INIT])(session, with, key);
}

static ulong_t sign(ulong_t session, unsigned char *data, ulong_t length, unsigned char *out, ulong_t *out_length) {
    long gone = setting("removed", 0), count = state("signs", 0) + 1, garbage = setting("garbage_length", -1);
    keep("signs", count);
    if (gone) return (ulong_t)gone;
    if (setting("crash_at", 0) == count) raise(SIGSEGV);
    if (setting("hang", 0)) for (;;) pause();
    if (setting("slow_ms", 0)) usleep((unsigned)setting("slow_ms", 0) * 1000);
    if (setting("always_authenticate", 0) && !context_login) return USER_NOT_LOGGED_IN;
    if (sm2_signing) {
        for (ulong_t i = 0; i < 64; i++) out[i] = length ? data[i % length] : 0;
        *out_length = 64;
        return 0;
    }
    ulong_t rv = ((ulong_t (*)(ulong_t, void *, ulong_t, void *, void *))real->call[SIGN])(session, data, length, out,
                                                                                         out_length);
    if (setting("fail_sign", 0)) return (ulong_t)setting("fail_sign", 0);
    if (!rv && garbage >= 0) *out_length = (ulong_t)garbage;
    if (!rv && setting("wrong_signature", 0)) out[*out_length - 1] ^= 1;
    return rv;
}

ulong_t C_GetFunctionList(function_list **list) {
    ulong_t (*get)(function_list **);
    if (!real) {
        void *backend = dlopen(getenv("FAULTY_BACKEND"), RTLD_NOW | RTLD_LOCAL);
        if (!backend || !(get = dlsym(backend, "C_GetFunctionList")) || get(&real)) return 5;
        ours = *real;
        ours.call[INITIALIZE] = initialize;
        ours.call[GET_FUNCTION_LIST] = C_GetFunctionList;
        ours.call[GET_TOKEN_INFO] = get_token_info;
        ours.call[INIT_PIN] = init_pin;
        ours.call[OPEN_SESSION] = open_session;
        ours.call[CLOSE_SESSION] = close_session;
        ours.call[CLOSE_ALL] = close_all;
        ours.call[LOGIN] = login;
        ours.call[GET_ATTRIBUTE] = get_attribute;
        ours.call[FIND_INIT] = find_init;
        ours.call[SIGN_INIT] = sign_init;
        ours.call[SIGN] = sign;
        ours.call[WAIT_FOR_SLOT_EVENT] = wait_for_slot_event;
    }
    *list = &ours;
    return 0;
}
