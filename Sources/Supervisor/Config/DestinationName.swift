/// The two parts of `user@host`, the destination of `ssh`. `ssh` refuses parts with characters that have a meaning in a shell.
///
/// The rules are in valid_ruser and valid_hostname of OpenSSH's ssh.c, since 9.6 and in older versions with that patch (Debian's
/// 9.2), and in readconf.c since 10.3. If a name were refused only there, it would look as if the ControlMaster did not answer.
enum DestinationName {
    case user
    case host

    /// What neither part may contain, because `ssh` would read a URI, another part or the end of a word there.
    private static let separators: Set<Unicode.Scalar> = ["/", "@", " "]

    private var refused: Set<Unicode.Scalar> {
        switch self {
        case .user: ["'", "`", "\"", ";", "&", "<", ">", "|", "(", ")", "{", "}"]
        case .host: ["'", "`", "\"", "$", "\\", ";", "&", "<", ">", "|", "(", ")", "{", "}", ","]
        }
    }

    /// What is wrong with a name, as the rest of a sentence that begins with its key; nil if nothing is.
    func problem(of name: String) -> String? {
        if name.hasPrefix("-") { return "must not begin with \"-\", which ssh takes for an option, got \"\(name)\"" }
        if let bad = name.unicodeScalars.first(where: { isRefused($0) }) {
            return
                "must not contain \(Self.shown(bad)), which ssh refuses or reads otherwise there, got \"\(name)\"; \(advice)"
        }
        if self == .user, name.hasSuffix("\\") {
            return "must not end in \"\\\", which ssh refuses there, got \"\(name)\"; \(advice)"
        }
        return nil
    }

    private func isRefused(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || scalar.value == 0x7F || Self.separators.contains(scalar) || refused.contains(scalar)
    }

    private static func shown(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case " ": "a space"
        case _ where scalar.value < 0x20 || scalar.value == 0x7F: "a control character"
        default: "\"\(scalar)\""
        }
    }

    private var advice: String {
        switch self {
        case .user:
            "write a login name that ssh takes: who logs in is what the ControlMaster was started with, whatever stands here"
        case .host:
            "write an address, or a name from your ssh_config: where sessions lead is what the ControlMaster was started with"
        }
    }
}
