import Testing

@testable import Policy

@Suite("allow_delete")
struct DestructiveCommandTests {
    private func refusal(_ command: String, allowed: Bool = false) -> String? {
        do throws(Refusal) {
            try DestructiveCommand.judge(command, allowed: allowed, host: "prod")
            return nil
        } catch {
            return error.description
        }
    }

    @Test(arguments: ["rm", "unlink", "truncate", "shred", "dd"])
    func `a command that begins with a deleting program is refused`(program: String) {
        for command in [
            program, "\(program) x", "  \t\n\(program)\tx", "/bin/\(program) x", "../\(program)", "./\(program)\nx",
        ] {
            #expect(
                refusal(command)?.hasPrefix(
                    "\"\(program)\" deletes data and is refused on \"prod\" while safeguards.allow_delete is false")
                    == true)
            #expect(refusal(command, allowed: true) == nil)
        }
    }

    @Test(arguments: [
        "last reboot", "echo rm", "grep \"rm -rf\" log", "rmdir x", "ddate", "rm-old", "/rm/ls", "git rm --help", "RM",
        "man dd",
        "", "   ", "/", "///",
    ])
    func `what only names such a program passes`(command: String) {
        #expect(refusal(command) == nil)
    }
}
