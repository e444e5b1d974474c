internal import IPC

extension GateRefusal {
    /// What a caller is told: which rule refuses, and what would allow it.
    var sentence: String {
        switch reason {
        case .capability(let capability):
            "hosts.\(host).capabilities.\(capability.key) is false: this tool is switched off on \"\(host)\". "
                + "Use another host, or ask the user to set hosts.\(host).capabilities.\(capability.key) to true."
        case .allowlistEmpty:
            "\(allowlist) is empty: no command may run on \"\(host)\". Ask the user to add what is needed to it."
        case .variable(let name):
            "\(allowlist) is set, and on \"\(host)\" the variable \"\(name)\" could turn an allowed command into another one. "
                + "Call again without it in \"env\", or \(advice("\(name)=VALUE COMMAND"))."
        case .doubt(let doubt):
            "\(allowlist) is set, and on \"\(host)\" this command contains \(doubt.words), so that what would run is not certain. "
                + "Send plain commands, each in a call of its own, and text for them as \"stdin\"."
        case .noCommand: "\(allowlist) is set, and there is no command to run on \"\(host)\"."
        case .redirection(let operation, let target, let command):
            "\(allowlist) is set, and on \"\(host)\" the redirection \"\(operation) \(target)\""
                + "\(command.isEmpty ? "" : " of \"\(command)\"") is refused. "
                + "Only input from files, /dev/null and descriptors such as 2>&1 may be redirected."
        case .builtin(let program, let command):
            "\(allowlist) covers no \"\(program)\": on \"\(host)\" \"\(command)\" could make other commands run. "
                + "Send plain commands, each in a call of its own."
        case .printf(let command):
            "\(allowlist) covers no \"printf\" with an option or a variable in front: on \"\(host)\" \"\(command)\" could set PATH. "
                + "Begin its arguments with a format in quotes."
        case .assignment(let name, let command, let beginning):
            "\(allowlist) is set, and on \"\(host)\" the variable \"\(name)\" in \"\(command)\" could turn an allowed command "
                + "into another one. Leave it out, or \(advice(beginning))."
        case .notCovered(let command, let beginning, let isChange, let entries, let more):
            "\(allowlist) does not cover \"\(command)\" on \"\(host)\"; covered are commands that begin with: "
                + "\(Self.list(entries, more)), written without quotes. "
                + (isChange ? "Pass the directory as \"cwd\" and leave out \"cd\"" : "Use one of these")
                + ", or \(advice(beginning))."
        case .deletes(let found, let isUnreadable):
            "\"\(found)\" deletes data and is refused on \"\(host)\" while safeguards.allow_delete is false"
                + (isUnreadable ? " (the command could not be read to its end: are its quotes closed?)" : "")
                + ". If this is really wanted, ask the user to do it or to set safeguards.allow_delete to true."
        case .noDirectory(let base):
            "hosts.\(host).base_dir is \"\(base)\": pass \"cwd\", a directory in that tree."
        case .outside(let base, let path):
            "hosts.\(host).base_dir is \"\(base)\", and \"\(path)\" is not in it. "
                + "Pass an absolute path in that tree, or ask the user to change hosts.\(host).base_dir."
        case .forward(let target, let entries, let more):
            "hosts.\(host).forward_allowlist does not cover \(Forwarding.words(target)) on \"\(host)\"; "
                + (entries.isEmpty ? "it is empty. " : "it has: \(Self.list(entries, more)). ")
                + "If this is really wanted, ask the user to add it."
        case .linkLocal(let target):
            "\(target) is a link-local or metadata address, where a machine's credentials may be had; "
                + "no forward may lead there unless hosts.\(host).forward_allowlist names it."
        case .socketTarget(let path):
            "A forward to a Unix socket opens it for every user of this machine, with all that the account on \"\(host)\" may do with it. "
                + "So none may lead there unless hosts.\(host).forward_allowlist, which is not set, names it. If this is really wanted, "
                + "ask the user to set it, with \"unix:\(path)\" and the hosts and ports that are used."
        }
    }

    private var allowlist: String { "hosts.\(host).exec_allowlist" }

    private func advice(_ beginning: String) -> String { "ask the user to add \"\(beginning)\" to \(allowlist)" }

    private static func list(_ entries: [String], _ more: UInt32) -> String {
        entries.map { "\"\($0)\"" }.joined(separator: ", ") + (more > 0 ? " and \(more) more" : "")
    }
}
