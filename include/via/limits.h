/* limits.h: the sizes that every part agrees on.
 *
 * Lengths count bytes and, for buffers, include the closing NUL. */
#ifndef VIA_LIMITS_H
#define VIA_LIMITS_H

#define VIA_NAME_SIZE 64            /* app, add-on, binding, target, env name: 63 + NUL */
#define VIA_ID_SIZE 40              /* prefix, '_', 26 characters, NUL, and room */
#define VIA_ADDON_ROW_NAME_SIZE 128 /* NAME#destroyed#ADDON_ID */
#define VIA_TIME_SIZE 25            /* YYYY-MM-DDTHH:MM:SS.mmmZ + NUL */
#define VIA_ACTOR_SIZE 80           /* user:NAME, agent, instance:ID */
#define VIA_BLOCK_REASON_SIZE 201   /* why the operator blocks an add-on */
#define VIA_PATH_SIZE 4096
#define VIA_MESSAGE_SIZE 512
#define VIA_TOKEN_SIZE 4096 /* longest token that is looked at */
#define VIA_SOCKET_PATH_MAX 107

#endif
