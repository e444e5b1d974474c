internal import IPC

/// What there is instead of a POSIX shell behind a login, as far as its own words tell.
enum StrangeShell: CaseIterable {
    case windowsCommand, powerShell, noLogin, restricted, sftpOnly, appliance

    /// Words of each, in lower case.
    private var signs: [String] {
        switch self {
        case .windowsCommand: ["is not recognized as an internal or external command"]
        case .powerShell:
            [
                "commandnotfoundexception", "is not recognized as the name of a cmdlet",
                "is not recognized as a name of a cmdlet",
            ]
        case .noLogin:
            [
                "account is currently not available", "account is not available", "account has been disabled",
                "logins are disabled",
            ]
        case .restricted: ["rbash: ", "restricted: cannot", "rksh: ", "lshell: ", "*** forbidden", "rssh"]
        case .sftpOnly: ["allows sftp connections only", "sftp only"]
        case .appliance:
            [
                "% invalid input", "% unknown command", "% bad", "invalid input detected", "unrecognized command",
                "unknown command", "bad command name", "line has invalid autocommand", "invalid command",
                "unknown action",
                "syntax error, expecting", "error: wrong parameter",
            ]
        }
    }

    /// What its words are of; nil for a shell that said nothing of the kind.
    init?(_ said: String) {
        let text = said.lowercased()
        guard let found = Self.allCases.first(where: { $0.signs.contains(where: text.contains) }) else { return nil }
        self = found
    }

    /// Its name in a status.
    var name: String {
        switch self {
        case .windowsCommand: "Windows cmd.exe"
        case .powerShell: "Windows PowerShell"
        case .noLogin: "nologin"
        case .restricted: "a restricted shell"
        case .sftpOnly: "SFTP only"
        case .appliance: "an appliance's command line"
        }
    }

    /// What that means, a sentence.
    func sentence(_ host: PolicySnapshot.Host) -> String {
        let needs = "ssh_exec, and files over a shell, need a POSIX /bin/sh there"
        let files = "The file tools work where its sshd has SFTP."
        return switch self {
        case .windowsCommand, .powerShell:
            "\"\(host.name)\" is a Windows host (\(name)): \(needs), which it does not have. \(files)"
        case .noLogin:
            "The account \(host.master.user) on \"\(host.name)\" has no login shell: \(needs). \(files) "
                + "Ask the user for an account with a shell if commands are needed."
        case .restricted:
            "The login shell of \(host.master.user) on \"\(host.name)\" is restricted: \(needs), which it does not start. \(files)"
        case .sftpOnly: "\"\(host.name)\" takes SFTP only: \(needs). \(files)"
        case .appliance:
            "What is logged in on \"\(host.name)\" is \(name) and no POSIX shell: \(needs), which it does not start. \(files)"
        }
    }

    /// Login shells that do not read the syntax of sh, by the last part of their path.
    private static let otherSyntax: Set<String> = [
        "fish", "csh", "tcsh", "nu", "elvish", "xonsh", "rc", "es", "pwsh", "ion", "murex", "oil.ysh", "ysh",
    ]

    /// The name of a login shell that does not read the syntax of sh; nil for one that does.
    static func otherSyntax(_ shell: String) -> String? {
        let name = shell.split(separator: "/").last.map(String.init) ?? ""
        return otherSyntax.contains(name) ? name : nil
    }
}
