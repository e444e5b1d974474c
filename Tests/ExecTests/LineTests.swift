import IPC
import TestSupport
import Testing

@testable import Exec

/// What a host is sent, apart from what its shells make of it.
@Suite("Lines for hosts")
struct LineTests {
    private static let host = PolicySnapshot.Host(name: "box", socket: "/s", user: "u", host: "h", baseDir: "/srv")

    @Test func `a command's line is of words that every login shell reads alike`() {
        let command = GateCommand(
            host: "box", command: "echo 'a' \\ ! \n é", directory: "~/x", environment: ["V": "it's"], seconds: 30,
            nonce: "abcd1234")
        let whole = Observer.line(for: command, on: Self.host)
        #expect(whole.hasSuffix(#" sh abcd1234 '' 31 1 '\\'"\\""#))
        let line = whole.replacing(" " + Observer.shellTest, with: "")
        // csh leaves a `!` alone that a blank or an equals sign follows.
        #expect(
            !line.replacing("$! ", with: "").replacing(" != ", with: "").contains("!")
                && line.utf8.allSatisfy { (0x20..<0x7F).contains($0) })
        #expect(line.utf8.count { $0 == UInt8(ascii: "'") } % 2 == 0 && !line.contains("\\\\") && !line.contains("\\'"))
        #expect(line.hasPrefix("exec /usr/bin/env csd_s='"))
        #expect(line.hasSuffix(#" csd_1='eV=it\0047s' /bin/sh -c 'eval "$csd_s"' sh abcd1234 '' 31 1"#))
        #expect(line.contains(" csd_d='p./x' csd_b='p/srv' "))
    }

    @Test func `with an allowlist it is /bin/sh that runs the command`() {
        var host = Self.host
        host.execAllowlist = []
        let line = Observer.line(
            for: GateCommand(host: "box", command: "id", seconds: 1, nonce: "abcd1234"), on: host)
        #expect(line.hasSuffix(" sh abcd1234 /bin/sh 2 0 " + Observer.shellTest))
    }

    @Test func `a shell that takes export gets the same words with it, and no other program`() throws {
        let command = GateCommand(
            host: "box", command: "id", environment: ["V": "it's"], seconds: 30, nonce: "abcd1234")
        let line = Observer.line(for: command, on: Self.host)
        let exported = Observer.line(for: command, on: Self.host, exports: true)
        #expect(
            exported.hasPrefix("'export' csd_s='") && exported.contains(#" && exec /bin/sh -c 'eval "$csd_s"' sh "#))
        let end = " && exec /bin/sh -c 'eval"
        let last = try #require(exported.ranges(of: end).last)
        let other = exported[..<last.lowerBound] + " /bin/sh -c 'eval" + exported[last.upperBound...]
        #expect("exec /usr/bin/env " + other.dropFirst("'export' ".count) == line)
    }

    @Test(arguments: [("", ""), ("~", ""), ("~/x", "./x"), ("x", "./x"), ("-", "./-"), ("/x", "/x"), ("~a", "./~a")])
    func `a directory is no option of cd, and the login directory needs no name`(text: String, sent: String) {
        let command = GateCommand(host: "box", command: "id", directory: text, seconds: 1, nonce: "abcd1234")
        #expect(Observer.line(for: command, on: Self.host).contains(" csd_d='p\(sent)' "))
    }

    @Test func `errands are fixed lines, with nothing but numbers and nonces in them`() {
        let observer = ObserverID(processID: 77, nonce: "abcd1234")
        let stop = ErrandLine.of(.stop([observer, observer]))
        #expect(stop.text == "exec /bin/sh -c '\(TreeStop.script)' sh 77:abcd1234 77:abcd1234" && !stop.isSubsystem)
        #expect(ErrandLine.of(.probe(nonce: "abcd1234")).text == "exec /bin/sh -c 'echo abcd1234; read x'")
        #expect(ErrandLine.of(.trial(nonce: "abcd1234")).text == "exec /bin/sh -c 'echo abcd1234'")
        #expect(ErrandLine.of(.sweep(nonces: ["abcd1234", "efgh5678"])).text.hasSuffix("' sh abcd 1234 efgh 5678"))
        let identity = ErrandLine.of(.identity(nonce: "abcd1234")).text
        #expect(identity.hasPrefix("exec /bin/sh -c '") && identity.hasSuffix("' sh abcd1234"))
        #expect(!identity.contains("!") && !identity.contains("\\\\"))
        #expect(ErrandLine.of(.question) == ("claude-ssh-daemon-alive", true))
    }
}
