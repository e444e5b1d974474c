import TestSupport
import Testing

/// `scripts/demo`: how its story is laid out.
@Suite("scripts/demo")
struct DemoTests {
    /// Runs a line with functions of the script.
    private static func run(_ line: String) async throws -> String {
        let script = try Repository.text("scripts/demo")
        let functions = ["wrap", "tell"].map { name -> Substring in
            guard let start = script.firstRange(of: "\n\(name)() {"),
                let end = script[start.upperBound...].firstRange(of: "\n}\n")
            else { return "" }
            return script[start.lowerBound..<end.upperBound]
        }
        return try await LocalRun.of(
            "/bin/bash", ["-c", "verbose='' bold='' plain=''\n\(functions.joined())\n\(line)"],
            environment: ["LC_ALL": "C"]
        ).text
    }

    @Test(arguments: [1, 10, 40, 84, 200])
    func `no line is wider than 112 columns, and no word is cut`(words: Int) async throws {
        let result = (1...words).map { "word\($0)" }.joined(separator: " ")
        for what in ["", "short", "one that is long enough to take a line of its own"] {
            let told = try await Self.run("tell ssh_connection_status '\(what)' '' '\(result)'")
            #expect(told.split(separator: "\n").allSatisfy { $0.count <= 112 && $0.last != " " }, "\(told)")
            #expect(told.split { " \n→".contains($0) }.suffix(words).joined(separator: " ") == result)
        }
        let json = (1...words).map { "\"key\($0)\":\($0)" }.joined(separator: ",")
        let wrapped = try await Self.run("wrap 110 <<<'{\(json)}'")
        #expect(wrapped.split(separator: "\n").allSatisfy { $0.count <= 110 })
        #expect(wrapped.replacing("\n", with: "") == "{\(json)}")
    }

    @Test func `a result stands behind what it is of where both fit, else on the next line`() async throws {
        #expect(
            try await Self.run("tell ssh_exec 'uname -s' '' Linux")
                == "ssh_exec                uname -s                                      → Linux\n")
        #expect(
            try await Self.run("tell ssh_exec 'uname -s' '' 'a result of more words than fit behind it here'")
                == "ssh_exec                uname -s\n                        → a result of more words than fit behind it here\n"
        )
    }
}
