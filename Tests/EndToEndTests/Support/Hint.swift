import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// What the user does with a hint: types it into a shell, where `ssh` has the key and the known hosts of a private sshd.
final class HintShell {
    private let directory: TemporaryDirectory
    private let remote: Remote

    /// - Parameter config: lines of the user's ssh_config.
    init(_ remote: Remote, config: String = "") throws {
        self.remote = remote
        directory = try TemporaryDirectory(readableByAll: true)
        let file = try directory.write(
            "ssh_config",
            """
            \(config)
            Host *
            BatchMode yes
            IdentitiesOnly yes
            IdentityAgent none
            IdentityFile \(remote.sshd.clientKey)
            UserKnownHostsFile \(remote.sshd.knownHosts)
            GlobalKnownHostsFile /dev/null

            """)
        try directory.writeProgram("ssh", "#!/bin/sh\nexec \(try findProgram("ssh")) -F \(file) \"$@\"\n")
    }

    /// The command line in a text that tells one; it stands at the end.
    static func command(in text: String) throws -> String {
        for mark in ["run: ", "again with: ", "bring it up with: "] {
            if let found = text.range(of: mark) { return String(text[found.upperBound...]) }
        }
        throw HarnessError("no command in: \(text)")
    }

    /// Runs it. What a hint opens lives on: see `close`.
    func type(_ command: String) throws -> CommandResult {
        try run("/bin/sh", ["-c", "PATH='\(directory.path)':$PATH; \(command)"], timeout: .seconds(60))
    }

    /// Ends the ControlMaster that a hint has opened.
    func close() { _ = try? remote.master.control("exit") }
}
