import Testing

@testable import Policy

@Suite("exec_allowlist")
struct ExecAllowlistTests {
    private static let entries = ["git ", "make test", "systemctl status "]

    private func refusal(_ command: String, _ entries: [String]? = entries, _ environment: [String: String] = [:])
        -> String?
    {
        do throws(Refusal) {
            try ExecAllowlist(entries, host: "prod").judge(command: command, environment: environment)
            return nil
        } catch {
            return error.description
        }
    }

    @Test(arguments: [
        "git status", "git", "git  log --oneline -5", "  git\tstatus  ", "make test", "make test VERBOSE=1",
        "systemctl status nginx", "git log --grep='a b'", "git log \"x\"", "git log -- '*.c' ?.h [a-z]~",
    ])
    func `a simple command that begins with the words of an entry passes`(command: String) {
        #expect(refusal(command) == nil)
    }

    @Test(arguments: [
        "id", "gitk", "git-shell", "/usr/bin/git status", "GIT status", "make", "make tests", "make  testx",
        "systemctl stop nginx",
        "\"git\" status", "g'i't status", "FOO=1 git status", "sudo git status", "env git status", "!git", "", "   ",
        // A no-break space is no blank to a shell.
        "git\u{A0}status", "make\u{A0}test",
    ])
    func `what begins with other words does not`(command: String) {
        #expect(refusal(command)?.contains("does not cover this command on \"prod\"") == true)
    }

    private static let operators = [
        ";", "&", "&&", "|", "||", ">", ">>", "<", "<<", "(", ")", "$", "$(", "`", "\\", "\n", "\r", "\r\n", "{", "}",
        "2>&1", "<(", "|&",
    ]

    @Test(arguments: operators)
    func `no operator passes, wherever it stands, quoted or not`(text: String) {
        for command in [
            "git status\(text)id", "git status \(text) id", "\(text)git status", "git status\(text)",
            "git log '\(text)'", "git log \"\(text)\"",
        ] {
            #expect(
                refusal(command)?.contains("lets only single simple commands run on \"prod\"") == true, "\(command)")
        }
    }

    @Test(arguments: operators)
    func `an operator with a combining mark behind it is still an operator`(text: String) {
        // To Swift each of these is one character with the operator; to a shell it is the operator, then a word.
        for mark in ["\u{301}", "\u{338}", "\u{200D}", "\u{FE0F}", "\u{20E3}"] {
            #expect(refusal("git status \(text)\(mark)x/y")?.contains("single simple commands") == true)
        }
    }

    @Test func `the refusal names what it stumbled over`() {
        #expect(refusal("git status; id")?.contains("contains \";\"") == true)
        #expect(refusal("git status\nid")?.contains("contains a newline") == true)
        #expect(refusal("git status\r\nid")?.contains("contains a newline") == true)
        #expect(refusal("id")?.contains("\"git \", \"make test\", \"systemctl status \"") == true)
    }

    @Test func `without a list everything passes, with an empty one nothing`() {
        #expect(refusal("rm -rf / ; id | sh", nil, ["PATH": "/x"]) == nil)
        #expect(refusal("git status", []) == "hosts.prod.exec_allowlist is empty: no command may run on \"prod\".")
        #expect(refusal("", []) != nil)
    }

    @Test func `an entry of nothing allows nothing`() {
        for entries in [[""], ["  "], ["\t"]] { #expect(refusal("id", entries) != nil) }
    }

    @Test func `variables are refused, they can turn one program into another`() {
        #expect(
            refusal("git status", Self.entries, ["GIT_PAGER": "id"])?.contains("\"env\" cannot be used on \"prod\"")
                == true)
        #expect(refusal("git status", Self.entries, [:]) == nil)
    }

    @Test func `Unicode look-alikes are not operators`() {
        for text in ["；", "｜", "\u{37E}", "\u{1FEF}", "＄"] { #expect(refusal("git log \(text)") == nil, "\(text)") }
    }
}
