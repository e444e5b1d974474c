public import IPC

/// The script around every command, called the observer. It is a POSIX `sh` script that starts the command in the user's login
/// shell, as `ssh host command` would. It writes marks to both output streams that tell when the command started, as which
/// process, and how it ended.
///
/// Each mark is a record separator (036 octal), the nonce of this call, one of these characters and a newline:
/// - `+`: the command starts. The process id of the observer follows, and ` e` if the shell that has read the line takes
///   `export`. The observer leads the session and the process group of
///   the command, unless a program of the host starts the observer without an `exec`.
/// - `-`: the command has ended. On standard error three numbers follow: the shell's exit status; `1` if the shell saw a signal,
///   else `0`; and, if the watchdog ended the command, `0` if it saw that nothing of the command is left, `1` if something is
///   left, and another number if the watchdog itself was stopped.
/// - `?`: the directory cannot be entered.
/// - `/`: the directory is outside the tree in which it must lie.
/// - `=`: before the command's start, of `LoginGuard`: the server is dropbear, see `ServerKind`.
///
/// If no start mark comes, nothing of the command has run, unless the mark was lost with the connection, or something on the
/// host takes both streams away. The command does not start if its start mark cannot be written: a start-up file may have held
/// it up until nobody waits for it.
///
/// The command, what belongs to it, and the script itself come to the observer as environment variables, of which it keeps none:
/// no word of theirs stands in its argument list. So `pgrep -f WORD` and `pkill -f WORD` in a command find what they find over
/// plain `ssh`, and not the command that they are part of.
public enum Observer {
    /// Bytes of the longest line: the kernel's MAX_ARG_STRLEN, execve(2), less 1 KiB for what sshd adds.
    public static let maximumLine = 128 * 1024 - 1024

    /// Arguments: the nonce, the shell for the command (empty for the user's), the seconds that the command may run, how many
    /// variables the command gets, and what the shell that reads the line makes of `shellTest`. In the environment: `csd_k` is `TreeStop`'s script; `csd_c` the command, `csd_d` the directory,
    /// `csd_b` the tree around it, and `csd_1` and on `NAME=value`, each as an `EncodedWord`.
    ///
    /// The command's variables go through env(1), so that none of them becomes a variable of this script.
    ///
    /// The watchdog, whose process id is in `w`, ends the command when its time is up. It is there for the case that nobody else
    /// does so: the daemon may have ended, the connection may be lost, or sshd may have no session left for the stop. It is
    /// started before the traps are set, because a child keeps traps until it sets its own: so TERM ends the watchdog at any
    /// moment. Its `sleep` may have kept a trap, and gets KILL. By USR1 the watchdog tells the observer that it stops the
    /// command; the observer then waits for what comes of that.
    ///
    /// An empty trap lets the observer survive TERM. The command does not inherit it, as it would inherit an ignored signal.
    /// What the shell remarks about a signal ("Killed") is caught in `m` or goes to /dev/null, because the command's own output
    /// is on descriptors 3 and 4.
    private static let script = [
        #"n=$1 h=${2:-${SHELL:-/bin/sh}} l=$3 a=$4 k=$csd_k e=; [ "${#5}" -ne 3 ] || e=" e"; set --"#,
        #"u() { case $1 in e*) v=$(printf %bx "${1#e}"); v=${v%x};; *) v=${1#p};; esac; }"#,
        #"u "$csd_d"; [ -z "$v" ] || CDPATH= cd -- "$v" || { printf "\036%s?\n" "$n" >&2; exit 1; }"#,
        // Both paths are compared without symlinks. No directory is inside a tree that cannot be entered or is `/`.
        #"u "$csd_b"; [ -z "$v" ] || { p=$(pwd -P; printf x); b=$(CDPATH= cd -- "$v" && pwd -P; printf x); b=${b%??};"#
            + #" case "$b:${p%??}/" in /:*|x:*) false;; "$b:$b/"*) ;; *) false;; esac || { printf "\036%s/\n" "$n" >&2; exit 1; }; }"#,
        #"u "$csd_c"; c=$v f= i=0"#,
        #"while [ "$i" -lt "$a" ]; do i=$((i+1)); eval "u \"\$csd_$i\"; unset csd_$i"; set -- "$@" "$v"; done"#,
        #"unset csd_s csd_k csd_c csd_d csd_b"#,
        #"(trap "kill -9 \$! ; exit 9" TERM; sleep "$l" & wait $! && kill -USR1 $$ && exec /bin/sh -c "$k" sh w "$$:$n")"#
            + #" </dev/null >/dev/null 2>&1 & w=$! "#,
        #"trap : HUP INT TERM; trap f=1 USR1"#,
        // If neither stream takes the start mark, nobody listens any more, and the command does not start.
        #"trap "kill $w 2>/dev/null; exit 1" PIPE; r=; printf "\036%s+%s\n" "$n" "$$$e" || r=1;"#
            + #" printf "\036%s+%s\n" "$n" "$$$e" >&2 || [ -z "$r" ] || { kill "$w"; exit 1; }; trap - PIPE"#,
        // bash reads .bashrc below sshd where SHLVL does not reach 2, and the login shell has read it: bash(1), INVOCATION. In
        // bash and zsh `exec` counts one down.
        #"case ${h##*/} in bash|rbash) SHLVL=1; [ -z "${BASH_VERSION-}${ZSH_VERSION-}" ] || SHLVL=2; export SHLVL;; esac"#,
        #"[ $# -eq 0 ] || set -- env "$@"; set -- "$@" "$h" -c "$c""#,
        #"exec 3>&1 4>&2"#,
        // A child of a command substitution costs a fork more than the command needs. dash and busybox make an empty here-document a
        // pipe, which Linux opens for writing, too. bash says nothing of signals in a substitution, so it needs none.
        #"x=; case "${BASH_VERSION-}${KSH_VERSION-}${ZSH_VERSION-}" in ?*) ;; *) [ -d /proc/self/fd ] &&"#
            + #" { eval "exec 5<<X${IFS#??}X"; [ -p /proc/self/fd/5 ] && command exec 2>/proc/self/fd/5 && x=1; };; esac"#,
        #"m=; case "$x${KSH_VERSION-}${BASH_VERSION:+b}" in"#
            + #" 1) (exec "$@" >&3 2>&4 3>&- 4>&- 5<&-); s=$?; exec 2>/dev/null; read -r m <&5;;"#
            + #" b) exec 2>/dev/null; (exec "$@" >&3 2>&4 3>&- 4>&-); s=$?;;"#
            // ksh93 takes a signal to itself for the end of a subshell, but not for the end of a program. After signal n its status
            // is 256 + n.
            + #" Version*) exec 2>/dev/null; /bin/sh -c "exec \"\$@\" >&3 2>&4 3>&- 4>&-" sh "$@" 3>&3 4>&4; s=$?;"#
            + #" [ "$s" -le 256 ] || { s=$((s-128)); m=1; };;"#
            + #" *) m=$(trap : HUP INT TERM; exec 2>&1; (exec "$@" >&3 2>&4 3>&- 4>&-); printf =%s "$?");"#
            + #" s=${m##*=}; m=${m%=*};; esac"#,
        // What a shell remarks about the end of the watchdog goes to /dev/null. The watchdog must end also where nobody takes the
        // marks: this process's id may be another's when its time is up.
        #"exec 2>/dev/null; trap "" PIPE; m=${m:+1} i=; [ -z "$f" ] || { wait "$w"; i=$?; }"#,
        #"printf "\036%s-\n" "$n"; printf "\036%s-%s %s %s\n" "$n" "$s" "${m:-0}" "$i" >&4"#,
        #"[ -n "$f" ] || kill "$w""#,
        #"exit "${s:-255}""#,
    ].joined(separator: "; ")

    /// POSIX shells make three backslashes of it, fish two, and csh as many as it is set to, two or four.
    static let shellTest = #"'\\'"\\""#

    /// The line that the login shell of a host gets for a command.
    /// - Parameter exports: the shell that reads it takes `export`.
    public static func line(
        for command: GateCommand, on host: PolicySnapshot.Host, exports: Bool = false
    ) -> String {
        line(
            nonce: command.nonce, command: command.command, directory: directory(command.directory),
            tree: host.baseDir ?? "", inPOSIXShell: host.execAllowlist != nil, environment: command.environment,
            within: Int(command.seconds), exports: exports)
    }

    /// The line consists of plain words, single quotes, which every shell reads alike, and `shellTest`. With `export`, a shell passes
    /// variables on that csh and fish need env(1) for, which costs as much as starting a shell. The word is quoted against aliases.
    /// A shell that does not have it runs nothing.
    ///
    /// The watchdog waits up to a second longer
    /// than `limit`, so that the daemon is first to stop the command.
    static func line(
        nonce: String, command: String, directory: String, tree: String = "", inPOSIXShell: Bool = false,
        environment: [String: String], within limit: Int = 3600, exports: Bool = false
    ) -> String {
        let variables = environment.sorted { $0.key < $1.key }.map { EncodedWord.of("\($0.key)=\($0.value)") }
        let words =
            [("s", "'\(script)'"), ("k", "'\(TreeStop.script)'")]
            + [("c", command), ("d", directory), ("b", tree)].map { ($0, EncodedWord.of($1)) }
            + variables.enumerated().map { ("\($0 + 1)", $1) }
        return (exports ? "'export' " : "exec /usr/bin/env ") + words.map { "csd_\($0)=\($1)" }.joined(separator: " ")
            + (exports ? " && exec" : "")
            + " /bin/sh -c 'eval \"$csd_s\"' sh \(nonce) \(inPOSIXShell ? "/bin/sh" : "''") \(limit + 1) \(variables.count) \(shellTest)"
    }

    /// The directory as an argument of `cd`. Sessions start in the login directory, so `~` needs no expansion. A relative path
    /// gets `./` before it, so that `cd` does not take it for an option or for its own `-`.
    private static func directory(_ path: String) -> String {
        if path == "~" { return "" }
        if path.hasPrefix("~/") { return "./" + path.dropFirst(2) }
        return path.isEmpty || path.hasPrefix("/") ? path : "./" + path
    }
}
