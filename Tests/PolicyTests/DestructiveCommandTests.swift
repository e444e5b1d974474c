import IPC
import Testing

@testable import Policy
@testable import Tools

/// What single cases come to is in `PolicyCorpus.tsv`.
@Suite("allow_delete")
struct DestructiveCommandTests {
    private func refusal(_ command: String, input: String = "", allowed: Bool = false) -> String? {
        do throws(GateRefusal) {
            try DestructiveCommand.judge(command, input: input, allowed: allowed, host: "prod")
            return nil
        } catch {
            return error.sentence
        }
    }

    @Test(arguments: [
        ("ls; sudo rm -rf x", "\"rm\""), ("/sbin/mkfs.ext4 x", "\"mkfs.ext4\""), ("find . -delete", "\"find -delete\""),
        ("git clean -fd", "\"git clean\""), ("> log", "\"> log\""), ("sh -c 'dd of=x'", "\"dd\""),
        ("/bin/r?", "\"rm\""),
    ])
    func `the refusal names what deletes`(command: String, name: String) {
        #expect(
            refusal(command)?.hasPrefix(
                "\(name) deletes data and is refused on \"prod\" while safeguards.allow_delete is false. If this is")
                == true)
        #expect(refusal(command, allowed: true) == nil)
    }

    @Test func `what cannot be read is refused where such a program stands in it, and the refusal says so`() {
        #expect(refusal("echo 'x; rm y")?.contains("are its quotes closed?") == true)
        #expect(refusal("echo 'x; ls y") == nil)
    }

    @Test func `standard input counts where a shell reads it for commands`() {
        for shell in [
            "sh", "bash -s", "sudo bash", "ssh other", "cd /srv && sh", "env A=b sh -s x", "cat | sh", "tee log | sh",
            "ssh other 'cd /srv && bash -s'", "sh -c sh", ". /dev/stdin",
        ] {
            #expect(refusal(shell, input: "ls\nrm x\n")?.hasPrefix("\"rm\"") == true, "\(shell)")
            #expect(refusal(shell, input: "ls\necho rm x\n") == nil)
        }
        for command in [
            "cat", "cat | grep x", "ssh other cat", "cat script | sh", "sh -c cat", "sh script", "git apply", "xargs",
            "echo ls | sh", "sh <<E\nls\nE",
        ] {
            #expect(refusal(command, input: "ls\nrm x\n") == nil, "\(command)")
        }
        #expect(refusal("sh", input: "echo 'rm x") != nil, "unreadable, with a name in it")
    }

    @Test func `a line that is too long to run is only searched for the names`() {
        let long = String(repeating: "x ", count: 100_000)
        #expect(refusal("echo \(long)") == nil)
        #expect(refusal("echo \(long); rm y") != nil)
        #expect(refusal("sh", input: "echo \(long); rm y") != nil)
    }
}
