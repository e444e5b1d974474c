// Who listens beside the daemon, for the test.
#define _GNU_SOURCE
#include "Table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int local(int type, const char *name, struct sockaddr_un *address, socklen_t *length) {
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    if (strlen(name) >= sizeof(address->sun_path)) { errno = ENAMETOOLONG; return -1; }
    strcpy(address->sun_path, name);
    *length = *name == '@' ? (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name)) : sizeof(*address);
    if (*name == '@') address->sun_path[0] = 0;
    return socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
}

int attack_listener(int type, const char *name) {
    struct sockaddr_un address;
    socklen_t length;
    int descriptor = local(type, name, &address, &length);
    if (descriptor < 0 || bind(descriptor, (struct sockaddr *)&address, length) != 0) return -errno;
    return type == SOCK_DGRAM || listen(descriptor, 5) == 0 ? descriptor : -errno;
}

int attack_tcp_listener(unsigned short *port) {
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    if (bind(descriptor, (struct sockaddr *)&address, length) != 0 || listen(descriptor, 5) != 0) return -errno;
    if (getsockname(descriptor, (struct sockaddr *)&address, &length) != 0) return -errno;
    *port = ntohs(address.sin_port);
    return descriptor;
}

int attack_was_reached(int listener) {
    struct pollfd waiting = {.fd = listener, .events = POLLIN};
    return poll(&waiting, 1, 0) != 0;
}

int attack_connect(const char *name) {
    struct sockaddr_un address;
    socklen_t length;
    int descriptor = local(SOCK_STREAM, name, &address, &length);
    return descriptor >= 0 && connect(descriptor, (struct sockaddr *)&address, length) == 0 ? descriptor : -errno;
}
