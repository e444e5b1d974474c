// What the sandbox tests try: system calls by number, which Swift cannot make.
#ifndef CPROBES_H
#define CPROBES_H

long probe_syscall(long number, long a, long b, long c, long d, long e, long f);
// getpid through the 32-bit entry of x86; elsewhere, a plain getpid.
long probe_foreign_architecture(void);
// connect to an abstract socket of this name; 0 or -errno.
int probe_connect_abstract(const char *name);
// A listening socket at a path, or -errno; connect to one: 0 or -errno.
int probe_listen(const char *path);
int probe_connect(const char *path);
// Sends `count` copies of a descriptor (at most 253) in one message; the bytes sent, or -errno.
int probe_send_descriptors(int socket, int descriptor, int count);
// Numbers by name; -1 for one that this architecture lacks.
long probe_number(const char *name);

#endif
