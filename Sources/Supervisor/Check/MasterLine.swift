internal import Glibc
internal import IPC

/// What `check` says of a ControlMaster that cannot be used.
struct MasterLine {
    let host: PolicySnapshot.Host
    let key: String

    /// nil for one that lives.
    func line(_ state: MasterState) -> String? {
        guard case .down(let why) = state else { return nil }
        switch why {
        case .dead(let code, let place): return dead(place, errno: Int32(clamping: code))
        case .hung: return strange("does not answer: it is stopped, or hangs, or its file system does")
        case .foreign(let userID):
            return warning(
                "what listens at \(path) belongs to uid \(userID), and is not used; name a socket in a directory of your own"
            )
        case .otherVersion(let version):
            return warning(
                "the ControlMaster at \(path) speaks version \(version) of OpenSSH's mux protocol, and 4 is known here; "
                    + "open it with another version of OpenSSH")
        case .noMaster: return strange("is no ControlMaster")
        case .closed:
            return strange("closes connections without an answer: a ControlMaster that is ending, or something else")
        case .noHost, .noGate: return warning("its ControlMaster could not be asked; run the check again")
        case .unavailable(let code):
            return warning(
                "its ControlMaster could not be asked: \(String(cString: strerror(Int32(clamping: code)))); run the check again"
            )
        }
    }

    private var path: String { host.master.socket }

    private func warning(_ sentence: String) -> String { ConfigCheck.line(.warning, key, sentence) }

    private func dead(_ place: MasterSocket, errno code: Int32) -> String? {
        func down(_ first: String = "") -> String {
            ConfigCheck.line(.note, key, "no ControlMaster is up at \(path); run: \(first)\(command)")
        }
        switch place {
        case .absent:
            guard code == ENOENT || code == ENOTDIR else {
                return warning("\(path) cannot be reached: \(String(cString: strerror(code))); name another path")
            }
            return down()
        case .noDirectory: return down(SessionCommand.makeDirectory(DirectoryOwner.directory(of: path)) + " && ")
        case .own:
            guard code == ECONNREFUSED else {
                return warning("\(path) cannot be used: \(String(cString: strerror(code))); name another path")
            }
            return down("rm -f \(ShellWord.quoted(path)); ")
        case .foreign(let userID):
            return warning("the socket \(path) belongs to uid \(userID); name a socket in a directory of your own")
        case .link:
            return warning(
                "\(path) is a symbolic link to where nobody listens, and ssh -M makes no socket in its place; name the path itself"
            )
        // A start refuses it, which is told with its directory.
        case .other: return nil
        }
    }

    private func strange(_ how: String) -> String {
        let socket = ShellWord.quoted(path)
        return warning(
            "what listens at \(path) \(how). To see what it is: fuser -v \(socket). To end it and to open the session anew, run: "
                + "fuser -k \(socket); rm -f \(socket); \(command)")
    }

    private var command: String { SessionCommand.open(host) }
}
