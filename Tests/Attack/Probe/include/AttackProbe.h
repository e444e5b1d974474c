// What a hijacked worker could try on this machine, each attempt in a process of its own that is confined as the worker is.
//
// There are two forms. In the first a process that is not confined starts each attempt, which enters the worker's confinement and then
// tries: Tests/FakeWorker does so in the place of the worker. In the second all runs in the place of `ssh`, under the real worker with
// "transport": "ssh": Tests/FakeSSH does so. The tests are Tests/EndToEndTests/AttackTests.swift.
#ifndef ATTACK_PROBE_H
#define ATTACK_PROBE_H

#include <stddef.h>

enum attack_form { ATTACK_WORKER, ATTACK_SSH };

// Tries all of the table that is for this form. Writes a line for each attempt to `report`: what is tried, what is expected, what was
// seen, and "held", "broken" or "not run", with tabs between them. A line "end" follows.
// `facts` are lines of a name, a space and a value:
//   dir        a directory with the sockets agent, bus, container, tmux, seqpacket and datagram, the files key (0600), file (0666)
//   abstract   the name of an abstract socket that listens
//   mcp, master  the daemon's socket, and that of a ControlMaster
//   config     the daemon's configuration
//   port       a TCP port of 127.0.0.1 where somebody listens
//   supervisor, gate, other   processes of this user
//   landlock   the kernel's Landlock ABI
// `confine` enters the worker's confinement, and returns 0 if it could; NULL where that has been done.
// `policy` is a descriptor of the sealed policy, or -1.
void attack_run(enum attack_form form, const char *facts, int (*confine)(void), int policy, int report);

// Plays `ssh`. What it does is the address of the host that it is to connect to: "table" opens the session of its ticket, reads the
// facts from what the host says until a line "end", and sends the report to the host; "m" and a number makes that attempt on the
// gate; "silent" does nothing; "late" shows its ticket when its request is over, and has as its name what came of that; "x" and a text
// shows that text as a ticket.
_Noreturn void attack_as_ssh(int count, char **arguments);

// The attempts on the gate: each must end the worker, for this reason.
size_t attack_gate_count(void);
const char *attack_gate_name(size_t number);
const char *attack_gate_reason(size_t number);

// Descriptors that a worker gives its gate for a session, by their kinds; the number of kinds, a kind's name, and a new descriptor of
// it, or -1. They are made before the worker is confined.
size_t attack_kind_count(void);
const char *attack_kind_name(size_t number);
int attack_kind_make(size_t number);

// For the test: a socket of this type (SOCK_*) that listens where it can, at a path, or, with "@" before it, an abstract name; -errno.
int attack_listener(int type, const char *path);
// One that listens on a TCP port of 127.0.0.1.
int attack_tcp_listener(unsigned short *port);
// Whether anybody has connected, or sent anything.
int attack_was_reached(int listener);
// A connection to a Unix socket; -errno.
int attack_connect(const char *path);

#endif
