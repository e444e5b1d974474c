internal import IPC
internal import SFTP
internal import SSH

/// Sentences about failures with remote files. Each has the host and the path, and says what to do next.
enum FileFailures {
    static func sentence(_ error: SFTPError, _ host: PolicySnapshot.Host, path: String) -> String {
        let place = "\(shown(path)) on \"\(host.name)\""
        switch error {
        case .noSubsystem(let detail):
            return
                "\"\(host.name)\" did not start its SFTP server this time (\(detail)). Nothing was done. Try again; if it "
                + "stays so, ask the user to look into the log of its sshd."
        case .otherUser(let identity): return HostFacts.otherUser(host, identity, outcome: "Nothing was done.")
        case .shellEnded(let detail):
            if let strange = StrangeShell(detail) {
                return "\(strange.sentence(host)) It gave no SFTP, either (\(detail)). Nothing was done."
            }
            return
                "Files of \"\(host.name)\" are reached over a shell, and its login shell ended before anything ran there "
                + "(\(detail)). Nothing was done. Probably \(Failures.startupFile(host)) ends it, or replaces it by another program. "
                + Failures.mendStartup
        case .masterDown(let why): return Failures.masterDown(host, why, outcome: "Nothing was done.")
        case .notAllowed(.fileAccess), .notAllowed(.errand):
            return
                "The config has neither file_read nor file_write on for \"\(host.name)\" any more. Nothing was done. Ask the user "
                + "to change capabilities, or hosts.\(host.name).capabilities, if files there are needed."
        case .notAllowed(.call):
            return "Nothing was done on \"\(host.name)\", because the call that it was for was over by then. Try again."
        case .notAllowed(.otherAccess):
            return "The config of \"\(host.name)\" was changed meanwhile. Nothing was done. Try again."
        case .shellNotAllowed(let detail):
            return "\"\(host.name)\" started no SFTP server (\(detail)), and \(notOverShell(host))"
        case .notAllowed(.filesOverShell):
            return "The files of \"\(host.name)\" cannot be reached: \(notOverShell(host))"
        case .notAllowed(.words):
            return
                "The path \(shown(path)) is none that \"\(host.name)\" could have. Nothing was done. Pass another path."
        case .notOpened(let detail):
            return "The ControlMaster of \"\(host.name)\" opened no session"
                + (detail.isEmpty ? ". " : "; it said: \(detail). ") + "Nothing was done. Try again."
        case .spawn(let detail): return Failures.spawn(detail: detail)
        case .noSession(let shortage):
            return "\(Failures.noSession(host, shortage)). Nothing was done. \(Failures.wayOut(shortage))"
        case .lost(let detail):
            return "The connection to \"\(host.name)\" was lost while it worked on \(shown(path)) (\(detail)). "
                + "Look at the file before you try again."
        case .broken(let detail):
            return "\"\(host.name)\" does not speak proper SFTP (\(detail)); the connection was closed. Try again."
        case .unanswered(let reach, let wasOpen):
            let outcome =
                wasOpen
                ? "What was under way with \(shown(path)) may or may not be done: look at the file before you try again."
                : "Nothing was done."
            return Failures.unanswered(host, reach, outcome: outcome)
        case .silent(let duration):
            return
                "\"\(host.name)\" did not answer for \(duration.components.seconds) s while it worked on \(shown(path)). "
                + "Look at the file before you try again."
        case .hung(let duration, let seen):
            if let strange = StrangeShell(seen) {
                let line = seen.split(whereSeparator: \.isNewline).joined(separator: "; ").prefix(300)
                return "\(strange.sentence(host)) It gave no SFTP, either (\(line)). Nothing was done."
            }
            let came = seen.split(whereSeparator: \.isNewline).joined(separator: "; ").prefix(300)
            return
                "\"\(host.name)\" did not begin to serve files within \(duration.components.seconds) s; "
                + (came.isEmpty ? "nothing came from it. " : "what came from it is: \(came). ")
                + "Nothing was done. Probably \(Failures.startupFile(host)) waits for input or starts another program, "
                + "also where no terminal is. \(Failures.mendStartup)"
        case .notTaken(let limit, let seen):
            let came = seen.split(whereSeparator: \.isNewline).joined(separator: "; ").prefix(300)
            return "The session that was to write \(place) "
                + (limit.map { "did not begin to take its content within \($0.components.seconds) s" }
                    ?? "ended before it took any of its content")
                + (came.isEmpty ? ". " : " (\(came)). ")
                + "Nothing of it was sent, and nothing was changed. Probably \(Failures.startupFile(host)) waits for input, ends the shell or "
                + "starts another program, also where no terminal is. \(Failures.mendStartup)"
        case .slow:
            return
                "\"\(host.name)\" answers, but so slowly that the work on \(shown(path)) would have had no end (less than "
                + "\(ProgressDeadline.slowest / 1024) KiB a second); it was given up. Look at the file before you try again, "
                + "and ask for less at once."
        case .cancelled: return "The call was cancelled."
        case .refused(let status, let call, _, let message): return refused(status, call, message, host, place)
        case .denied(_, let seen): return denied(seen, host, place)
        case .readOnly:
            return
                "The file system of \(place) is read-only, so nothing there can be changed. Nothing was written; ask the user "
                + "whether it is meant to be."
        case .nameTooLong(_, let bytes, let most):
            return "\(place) cannot be used: a name in it has \(bytes) bytes"
                + (most.map { ", and names there have \($0) at most" } ?? ", which is too long there")
                + ". Nothing was done; pass a shorter name."
        case .quota:
            return
                "The quota of \(host.master.user) is used up, so \(place) cannot be written. Nothing was changed; free space "
                + "there, or ask the user for more."
        case .kept(let copy, let inner): return keeping(copy, sentence(inner, host, path: path))
        case .leaves(let temporary, let inner): return leaving(temporary, sentence(inner, host, path: path))
        case .notRegular(let type, _):
            switch type {
            case .regular: return "\(place) is a regular file and no directory. Use ssh_read_file for it."
            case .directory: return "\(place) is not a regular file but: directory. Use ssh_list_dir for it."
            default: return "\(place) is not a regular file but: \(type.rawValue). Use ssh_exec for it."
            }
        case .exists(let type, _):
            return "\(place) exists already (\(type.rawValue)), and safeguards.allow_overwrite is false. "
                + "Choose another path, or ask the user to set safeguards.allow_overwrite to true."
        case .outside:
            return
                "hosts.\(host.name).base_dir is \"\(host.baseDir ?? "")\", and \(place) leads out of it through a symlink. "
                + "Choose a path in that tree, or ask the user to change hosts.\(host.name).base_dir."
        case .baseIsRoot:
            return
                "hosts.\(host.name).base_dir is \"\(host.baseDir ?? "")\", which is the root directory on \"\(host.name)\" and "
                + "confines nothing, so no file there is used. Ask the user to name a directory in hosts.\(host.name).base_dir."
        case .tooManyEntries(let limit):
            return "\(place) has more than \(limit) entries, too many to list. Use ssh_exec with find."
        case .changed:
            return "\(place) changed while it was worked on; nothing was written. Read it again, then try again."
        case .endless(let limit, _):
            return "\(place) says that it is empty and gives more than \(limit) bytes, so where it ends is not known. "
                + "Nothing of it was kept; read what you need with ssh_read_file and \"max_bytes\"."
        case .noSpace:
            return "There is no space left for \(place). The file is as it was; free space there, then try again."
        case .unsupported(let what): return "\"\(host.name)\" cannot do this over SFTP: \(what). Use ssh_exec."
        case .local(let detail): return detail
        case .differs:
            return "\(place) reads back with another size or SHA-256 than what was transferred. Nothing was changed; "
                + "try again."
        case .damaged(_, let detail):
            return
                "\(place) was overwritten as it lies and may be half old and half new, because writing failed (\(detail)). "
                + "Write the whole file again."
        }
    }

    /// The config does not allow files over a shell. The sentence says what the config is, and what is given up where it allows them.
    private static func notOverShell(_ host: PolicySnapshot.Host) -> String {
        let why =
            host.fileTransport == .sftp
            ? "it names sftp as the host's \"file_transport\""
            : host.execAllowlist == nil
                ? "exec is off there" : "hosts.\(host.name).exec_allowlist limits what runs there"
        return "the config does not allow files over a shell on \"\(host.name)\": \(why). Nothing was done. "
            + "Whether the host's \"file_transport\" is to be \"shell\" is for the user to decide: what is run over a shell is held "
            + "to neither base_dir nor file_write nor exec_allowlist. An sftp subsystem in the host's sshd is held to them."
    }

    /// The path, or its beginning if it is too long for a sentence.
    static func shown(_ path: String) -> String { path.utf8.count <= 500 ? path : "\(path.prefix(200))…" }
}
