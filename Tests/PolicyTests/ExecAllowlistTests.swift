import IPC
import Testing

@testable import Policy
@testable import Tools

/// What single cases come to is in `PolicyCorpus.tsv`.
@Suite("exec_allowlist")
struct ExecAllowlistTests {
    private static let entries = ["git ", "make test", "systemctl status "]

    private func refusal(_ command: String, _ entries: [String]? = entries, _ environment: [String: String] = [:])
        -> String?
    {
        do throws(GateRefusal) {
            try ExecAllowlist(entries, host: "prod").judge(command: command, environment: environment)
            return nil
        } catch {
            return error.sentence
        }
    }

    @Test func `the name of an environment is a plain word`() {
        for name in ["RAILS_ENV", "NODE_ENV"] {
            #expect(refusal("git log", ["git log"], [name: "test-2"]) == nil)
            for value in ["../../tmp/x", "a b", "é", "$x"] {
                #expect(refusal("git log", ["git log"], [name: value])?.contains(name) == true, "\(value)")
            }
        }
    }

    @Test func `without a list everything passes, with an empty one nothing`() {
        #expect(refusal("rm -rf / ; id | sh", nil, ["PATH": "/x"]) == nil)
        for command in ["git status", "", "#"] {
            #expect(refusal(command, [])?.contains("exec_allowlist is empty: no command may run on \"prod\"") == true)
        }
    }

    @Test func `an entry of nothing allows nothing`() {
        for entries in [[""], ["  "], ["\t"]] { #expect(refusal("id", entries) != nil) }
    }

    @Test func `of a list of commands the refusal names the one that is not covered, and what to ask for`() {
        let text = refusal("git status && curl -s example.com | git apply")
        #expect(
            text
                == "hosts.prod.exec_allowlist does not cover \"curl -s example.com\" on \"prod\"; covered are commands that "
                + "begin with: \"git \", \"make test\", \"systemctl status \", written without quotes. Use one of these, or "
                + "ask the user to add \"curl -s\" to hosts.prod.exec_allowlist.")
    }

    @Test(arguments: [
        ("git log $(id)", "a command substitution"), ("git log `id`", "backticks"),
        ("git log <(id)", "a process substitution"),
        ("git log 'x", "a quote that is not closed"), ("git status\r\n", "a carriage return"),
        ("f() { id; }", "a function"),
        ("git log > x", "the redirection \"> x\" of \"git log\""),
        ("PATH=/x git log", "the variable \"PATH\" in \"PATH=/x git log\""),
        ("eval git log", "covers no \"eval\""), ("git log $'x'", "$'…'"), ("((1))", "((…))"),
    ])
    func `a refusal says what it stumbled over`(command: String, words: String) {
        #expect(refusal(command)?.contains(words) == true, "\(refusal(command) ?? "passed")")
    }

    @Test func `cd is refused with what stands for it`() {
        #expect(
            refusal("cd /srv && git status")?.contains(
                "Pass the directory as \"cwd\" and leave out \"cd\", or ask the user") == true)
        #expect(refusal("cd /srv && git status", ["cd ", "git "]) == nil)
    }

    @Test func `long lists and long commands are cut in a refusal`() throws {
        let entries = (0..<1_000).map { "program\($0) " }
        let text = try #require(refusal("git " + String(repeating: "x", count: 10_000), entries))
        #expect(text.contains("and 980 more") && text.utf8.count < 1_500)
    }

    @Test func `a variable is refused by its name, and can be allowed in front of a command`() {
        #expect(
            refusal("git status", Self.entries, ["GIT_PAGER": "id"])?.contains("the variable \"GIT_PAGER\"") == true)
        #expect(refusal("git status", Self.entries, ["LANG": "C", "TZ": "UTC"]) == nil)
        #expect(refusal("FOO=1 git status", ["FOO=1 git"]) == nil)
        #expect(refusal("FOO=2 git status", ["FOO=1 git"])?.contains("ask the user to add \"FOO=2 git\"") == true)
        #expect(refusal("FOO=1 id", ["FOO=1 git"]) != nil)
    }

    @Test(arguments: [
        "printf -v PATH /tmp; git x", "printf -vPATH /tmp", "printf $x PATH", "printf \"$x\" PATH",
        "printf \"-v\" PATH x",
    ])
    func `an entry of printf does not let it set a variable`(command: String) {
        #expect(refusal(command, ["git ", "printf "])?.contains("\"printf\" with an option or a variable") == true)
    }

    @Test(arguments: [
        "printf 'x\\n'", "printf '%s' \"$x\"", "printf -- '-v' a", "printf", "git log; printf '%s -v' x | git apply",
    ])
    func `an entry of printf lets it print`(command: String) {
        #expect(refusal(command, ["git ", "printf "]) == nil)
    }

    @Test(arguments: [";", "&", "&&", "|", "||", "\n", "|&"])
    func `an operator with a combining mark behind it is still an operator`(text: String) {
        // To Swift each of these is one character with the operator; to a shell it is the operator, then a word.
        for mark in ["\u{301}", "\u{338}", "\u{200D}", "\u{FE0F}", "\u{20E3}"] {
            #expect(refusal("git status \(text)\(mark)x/y")?.contains("does not cover") == true)
        }
    }
}
