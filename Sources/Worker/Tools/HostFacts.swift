internal import IPC
internal import JSON
internal import SSH

/// What a host tells of itself, in the words of results and errors.
enum HostFacts {
    /// The members of a status.
    static func status(_ identification: HostIdentification, _ host: PolicySnapshot.Host) -> JSONObject {
        switch identification {
        case .known(let identity):
            var facts: JSONObject = [:]
            for (key, text) in [
                ("user", identity.user.isEmpty ? identity.login : identity.user), ("home", identity.home),
                ("hostname", identity.hostname), ("shell", host.execAllowlist == nil ? identity.shell : "/bin/sh"),
            ] where !text.isEmpty { facts[key] = .string(text) }
            if !identity.isUser(host.master.user) {
                facts["problem"] = .string(otherUser(host, identity))
            } else if !identity.isHost(host.master.address) {
                facts["note"] = .string(
                    "The config calls this host \(host.master.address), and it calls itself \(identity.hostname)"
                        + (identity.address.isEmpty ? "." : " (\(identity.address)).")
                        + " Where these are two machines, the socket leads to another one than hosts.\(host.name).host says."
                )
            } else if let shell = StrangeShell.otherSyntax(identity.shell), host.execAllowlist == nil {
                facts["note"] = .string(syntax(shell))
            }
            return facts
        case .noShell(let said, let status):
            let kind = StrangeShell(said)
            return [
                "shell": .string(kind?.name ?? "none that is POSIX"),
                "note": .string(
                    kind?.sentence(host) ?? "What is logged in there runs no /bin/sh"
                        + (status.map { " (it ended with status \($0))" } ?? "")
                        + (said.isEmpty ? "" : "; it said: \(said.prefix(300))")
                        + ". ssh_exec and files over a shell need that; files over SFTP do not."),
            ]
        case .late(let said):
            return [
                "note": .string(
                    "What is logged in there did not run /bin/sh within \(HostSessions.identityPatience.components.seconds) s"
                        + (said.isEmpty ? "" : "; it said: \(said.prefix(300))") + ". "
                        + (StrangeShell(said)?.sentence(host)
                            ?? "\(Failures.startupFile(host)) may wait for something, or it is a menu."))
            ]
        case .notAsked: return [:]
        }
    }

    /// The login is another one than the config says.
    static func otherUser(_ host: PolicySnapshot.Host, _ identity: HostIdentity, outcome: String = "") -> String {
        let who = identity.user.isEmpty ? identity.login : identity.user
        let key =
            host.name == "default" ? "hosts.default.user (ssh_user where there is one host)" : "hosts.\(host.name).user"
        return
            "\(key) is \"\(host.master.user)\", and the ControlMaster at \(host.master.socket) is logged in as \"\(who)\""
            + (identity.hostname.isEmpty ? ". " : " on \"\(identity.hostname)\". ")
            + (outcome.isEmpty ? "" : "\(outcome) ")
            + "Ask the user to correct user, host and socket of \"\(host.name)\" in the config, or to bring up the right session at "
            + "that socket."
    }

    /// Which shell reads the agent's words.
    static func syntax(_ shell: String) -> String {
        "The login shell there is \(shell), which reads the command in its own syntax; for that of sh write: sh -c '…'"
    }
}
