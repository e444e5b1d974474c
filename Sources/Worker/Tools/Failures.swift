internal import Glibc
internal import IPC
internal import SSH

/// Sentences about failures on a host. Each says what to do next.
enum Failures {
    /// No ControlMaster answers at the host's socket.
    /// - Parameter outcome: what is sure of the work that was asked for, a sentence.
    static func masterDown(_ host: PolicySnapshot.Host, _ why: MasterDown, outcome: String = "") -> String {
        let path = host.master.socket
        switch why {
        case .dead(let code, let place):
            let detail = "Control socket connect(\(path)): \(String(cString: strerror(Int32(clamping: code))))"
            return notUp(host, detail, outcome) + wayUp(host, place, errno: Int32(clamping: code))
        case .hung:
            let seconds = MasterDown.patience / 1000
            return notUp(host, "no answer within \(seconds) s", outcome) + hanging(host)
        case .otherVersion(let version):
            return notUp(host, "it speaks version \(version) of the mux protocol", outcome)
                + strange(host, "does not speak OpenSSH's ControlMaster protocol as it is known here, version 4")
        case .noMaster:
            return notUp(host, "what answers is no ControlMaster", outcome)
                + strange(host, "does not speak OpenSSH's ControlMaster protocol")
        case .closed:
            return notUp(host, "it closed the connection without an answer", outcome)
                + strange(host, "does not speak OpenSSH's ControlMaster protocol, or is just ending")
        case .foreign(let userID):
            return notUp(host, "", outcome) + foreign(path, userID)
        case .noHost:
            return "The config does not name \"\(host.name)\" any more." + (outcome.isEmpty ? "" : " " + outcome)
                + " Call ssh_connection_status for the hosts that there are."
        case .unavailable(let code):
            return "Whether the SSH session to \"\(host.name)\" is up cannot be found out now: "
                + "\(String(cString: strerror(Int32(clamping: code)))). " + (outcome.isEmpty ? "" : outcome + " ")
                + "Try again when less is under way; if it stays so, ask the user to look at the limits of the daemon "
                + "(ulimit -n, ulimit -u, TasksMax)."
        case .noGate:
            return "The daemon's program claude-ssh-gate, which speaks to ControlMasters, does not answer. "
                + (outcome.isEmpty ? "" : outcome + " ")
                + "Connect to this server again; if it stays so, ask the user to look into the daemon's log."
        }
    }

    private static func notUp(_ host: PolicySnapshot.Host, _ detail: String, _ outcome: String) -> String {
        let said = detail.isEmpty ? "" : " (\(detail))"
        return "The SSH session to \"\(host.name)\" is not up\(said). " + (outcome.isEmpty ? "" : outcome + " ")
    }

    private static func foreign(_ path: String, _ userID: UInt32) -> String {
        "The socket \(path) belongs to uid \(userID), another user. Ask the user to configure a socket in a directory of "
            + "their own."
    }

    /// What to do if nobody listens. ssh -M does not replace a file at the path. The user may remove only what a dead master has
    /// left there.
    private static func wayUp(_ host: PolicySnapshot.Host, _ place: MasterSocket, errno code: Int32) -> String {
        let path = host.master.socket
        switch place {
        case .absent: return bringUp(host)
        case .noDirectory:
            let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
            return "The directory of its socket, \(directory), is missing. "
                + bringUp(host, first: SSHInvocation.directoryCommand(directory) + " && ")
        case .link:
            return "\(path) is a symbolic link, and ssh -M makes no socket in its place. "
                + "Ask the user to bring the session up where it leads, or to name that path in the config."
        case .own:
            guard code == ECONNREFUSED else {
                return
                    "Its socket \(path) is there and cannot be used. Ask the user to find out why, or to name another "
                    + "socket in the config. " + bringUp(host)
            }
            return bringUp(host, first: "rm -f \(ShellWord.quoted(path)); ")
        case .foreign(let userID): return foreign(path, userID)
        case .other:
            return "\(path) exists and is not a socket: the config names the wrong path. "
                + "Ask the user to correct it; leave what lies there as it is."
        }
    }

    /// Something listens that is no ControlMaster, or none that answers.
    private static func strange(_ host: PolicySnapshot.Host, _ how: String) -> String {
        let socket = ShellWord.quoted(host.master.socket)
        return "Something listens at its socket \(host.master.socket) that \(how). Ask the user to name another "
            + "socket in the config, or, in this order: to find out what it is (fuser -v \(socket)) and to end it; to remove "
            + "what it leaves (rm -f \(socket)); to bring the session up with: \(SSHInvocation.masterCommand(host))"
    }

    /// Something listens that takes connections and says nothing: a ControlMaster that is stopped or hangs, most often. It would not
    /// hear `ssh -O exit` either, and a second `ssh -M` runs without a socket as long as that one is there.
    private static func hanging(_ host: PolicySnapshot.Host) -> String {
        let socket = ShellWord.quoted(host.master.socket)
        return
            "Something listens at its socket \(host.master.socket) that takes connections and does not answer: a ControlMaster that is "
            + "stopped or hangs, or something else. The user can see what it is with: fuser -v \(socket), and, to end it and "
            + "bring the session up anew, run: fuser -k \(socket); rm -f \(socket); \(SSHInvocation.masterCommand(host))"
    }

    private static func bringUp(_ host: PolicySnapshot.Host, first: String = "") -> String {
        "The user can bring it up with: \(first)\(SSHInvocation.masterCommand(host))"
    }

    /// The master is alive, and its host did not answer.
    static func hostSilent(_ host: PolicySnapshot.Host) -> String {
        "The ControlMaster of \"\(host.name)\" is up, but the host behind it does not answer: the network may be down or slow, or "
            + "the host stopped. " + silentWayOut(host)
    }

    private static func silentWayOut(_ host: PolicySnapshot.Host) -> String {
        "Ask again in a while. If it stays so, the user can end the session, which closes its forwards, and bring it up again with: "
            + "\(SSHInvocation.exitCommand(host)); sleep 1; \(SSHInvocation.masterCommand(host))"
    }

    /// What there is to say of a host that was asked for an answer and gave none.
    static func unreached(_ host: PolicySnapshot.Host, _ reach: HostSessions.Reach) -> String {
        switch reach {
        case .masterDown(let why): masterDown(host, why)
        case .answers, .silent: hostSilent(host)
        }
    }

    /// Nothing came from the host for a while.
    /// - Parameter outcome: what is sure of the work that was asked for, a sentence.
    static func unanswered(_ host: PolicySnapshot.Host, _ reach: HostSessions.Reach, outcome: String) -> String {
        switch reach {
        case .masterDown(let why): masterDown(host, why, outcome: outcome)
        case .answers, .silent:
            "\"\(host.name)\" does not answer, while its ControlMaster does: the network may be down or slow, or the host stopped. "
                + outcome + " " + silentWayOut(host)
        }
    }

    /// There was no free session: which limit was met, and what holds the sessions.
    static func noSession(_ host: PolicySnapshot.Host, _ shortage: SessionShortage?) -> String {
        guard let shortage else { return "\"\(host.name)\" had no free session in time" }
        func counted(_ count: Int, _ one: String) -> String? {
            count == 0 ? nil : "\(count) \(one)\(count == 1 ? "" : "s")"
        }
        let left =
            shortage.unstopped == 0
            ? ""
            : ". \(shortage.unstopped) command\(shortage.unstopped == 1 ? "" : "s") of this connection that could not be "
                + "stopped may still hold sessions there"
        let holders = [counted(shortage.commands, "command"), counted(shortage.channels, "file channel")]
            .compactMap { $0 }.joined(separator: " and ")
        switch shortage.limit {
        case .configured(let sessions):
            return "\"\(host.name)\" had no free session in time: limits.sessions_per_host is \(sessions), held by "
                + (holders.isEmpty ? "calls that are ending" : "\(holders) of this connection") + left
        case .host(let sessions):
            let limit = "\"\(host.name)\" had no free session in time: its sshd refuses more (MaxSessions). "
            guard !holders.isEmpty else {
                guard shortage.unstopped == 0 else { return limit + left.dropFirst(2) }
                return limit + "None is held by this connection; the user's own shells and earlier commands that still "
                    + "run there count as well"
            }
            return limit + "Of \(sessions) that it lets this connection have, \(holders) of this connection "
                + "hold\(shortage.commands + shortage.channels == 1 ? "s one" : " theirs")"
                + (sessions > 1 ? ", and one is kept for stopping commands" : "") + left
        }
    }

    /// What to do if there was no free session.
    static func wayOut(_ shortage: SessionShortage?) -> String {
        let wait = "Try again when other work there has ended"
        switch shortage?.limit {
        case nil: return wait + "."
        case .configured: return wait + ", or ask the user to raise limits.sessions_per_host."
        case .host: return wait + ", or ask the user to close other sessions there or to raise MaxSessions of its sshd."
        }
    }

    /// `ssh` cannot run here. The confinement is tied to the files that were there when the connection began, and `ssh` or the
    /// user database may have been replaced since.
    static func spawn(detail: String) -> String {
        "ssh cannot run here: \(detail). Nothing was run. If ssh or /etc/passwd of this machine has changed since the "
            + "connection to this server began, reconnecting mends it; otherwise ask the user to check ssh_path in the config."
    }

    /// Names the start-up files of the login shell, which runs these before anything else.
    static func startupFile(_ host: PolicySnapshot.Host) -> String {
        "a start-up file of the login shell of \(host.master.user) there (~/.bashrc, ~/.zshenv, ~/.tcshrc, config.fish)"
    }

    static let mendStartup = "Ask the user to let it do so in interactive shells only, then try again."

    static func sentence(_ failure: ExecFailure, _ host: PolicySnapshot.Host, directory: String) -> String {
        switch failure {
        case .masterDown(let why): return masterDown(host, why, outcome: "Nothing was run.")
        case .directory(let detail):
            return "The working directory \"\(directory.prefix(500))\" cannot be entered on \"\(host.name)\""
                + (detail.isEmpty ? "." : ": \(detail).") + " The command was not run."
        case .outside:
            return "hosts.\(host.name).base_dir is \"\(host.baseDir ?? "")\", and the working directory "
                + "\"\(directory.prefix(500))\" leads out of it through a symlink, or that tree is the root directory on "
                + "\"\(host.name)\", which confines nothing. The command was not run. "
                + "Choose a directory in that tree, or ask the user to change hosts.\(host.name).base_dir."
        case .tooLong(let bytes, let limit):
            return
                "The command with its directory and variables is \(bytes) bytes long as it is sent, the limit is \(limit). "
                + "Nothing was run. Pass large data as \"stdin\"."
        case .noSession(let shortage):
            return "\(noSession(host, shortage)). The command was not run. \(wayOut(shortage))"
        case .notBegun(let limit, let detail):
            if let strange = StrangeShell(detail) {
                return "\(strange.sentence(host)) The command did not begin; it said: \(detail)."
            }
            return
                "The command did not begin on \"\(host.name)\" within \(limit.components.seconds) s, and was given up; nothing told that "
                + "it ran. " + (detail.isEmpty ? "" : "What came in its place is: \(detail). ")
                + "Probably \(startupFile(host)) waits for something or starts another program, also where no terminal is. "
                + mendStartup
        case .notStarted(let status, let detail):
            if let strange = StrangeShell(detail) {
                return "\(strange.sentence(host)) Nothing was run; it said: \(detail)."
            }
            let ended = status.map { " (status \($0))" } ?? ""
            return "The login shell on \"\(host.name)\" ended\(ended) before it told the start of the command"
                + (detail.isEmpty ? ". " : "; it said: \(detail). ")
                + (status == 126 || status == 127
                    ? "A POSIX /bin/sh is needed there."
                    : "Probably \(startupFile(host)) ends it, or replaces it by another program. \(mendStartup)")
                + (status == nil && detail.isEmpty
                    ? " A server that drops sessions when many are opened at once (dropbear) looks the same: then look whether the "
                        + "command ran, and make fewer calls at once." : "")
        case .otherUser(let identity): return HostFacts.otherUser(host, identity, outcome: "Nothing was run.")
        case .notAllowed(let refusal): return refusal.sentence
        case .notOpened(let detail):
            return "The ControlMaster of \"\(host.name)\" opened no session"
                + (detail.isEmpty ? ". " : "; it said: \(detail). ") + "The command was not run. Try again."
        case .lost(let output):
            return
                "The connection to \"\(host.name)\" was lost while the command ran. Whether it still runs, and what it did, "
                + "is unknown: look before you run it again."
                + (output.isEmpty ? "" : " The last of its output was: \(output)")
        case .unanswered(let reach, let wasAsked):
            return unanswered(
                host, reach,
                outcome: wasAsked
                    ? "The command may or may not have begun: look before you run it again." : "Nothing was run.")
        case .spawn(let detail):
            return spawn(detail: detail)
        case .cancelled(let verdict):
            return "The call was cancelled; stopped: \(verdict.rawValue)."
        }
    }
}
