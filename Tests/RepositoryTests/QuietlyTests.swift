import Glibc
import TestSupport
import Testing

/// `scripts/quietly` and `scripts/tidily`: what a build leaves on the screen and in /tmp.
@Suite("scripts/quietly and scripts/tidily")
struct QuietlyTests {
    @Test func `what a command says is noise while it succeeds, but for warnings of our own sources`() async throws {
        let scene = try ScriptScene("quietly")
        try scene.program(
            "build",
            "echo '[1/2] Compiling'; echo \"$PWD/Sources/A.swift:1:2: warning: unused\"; echo '/dep/B.swift:1:2: warning: theirs'"
        )
        let run = try await scene.run("quietly", "logs/build.log", "Building", "build")
        #expect(run.status == 0)
        #expect(run.output == "Building …\n\(scene.directory.path)/Sources/A.swift:1:2: warning: unused\n")
        let all = try await scene.run("quietly", "logs/build.log", "Building", "build", environment: ["VERBOSE": "1"])
        #expect(all.output.contains("[1/2] Compiling") && all.output.contains("theirs"))
    }

    @Test func `of one that fails the errors are shown, and where the rest is; its status stays`() async throws {
        let scene = try ScriptScene("quietly")
        try scene.program("build", "echo '[1/2] Compiling'; echo 'a.swift:1:2: error: no such thing'; exit 3")
        for verbose in ["", "1"] {
            let run = try await scene.run(
                "quietly", "logs/build.log", "Building", "build", environment: ["VERBOSE": verbose])
            #expect(run.status == 3)
            if verbose.isEmpty {
                #expect(run.errors.hasPrefix("a.swift:1:2: error: no such thing\n"))
                #expect(run.errors.hasSuffix("Building: failed with 3. The whole output: logs/build.log\n"))
                #expect(!run.errors.contains("Compiling"))
            }
        }
        try scene.program("silent", "echo 'the last words'; exit 9")
        #expect(try await scene.run("quietly", "l", "T", "silent").errors.contains("the last words"))
    }

    @Test(arguments: [
        ("exit 0", 0), ("exit 7", 7), ("kill -INT $PPID; exit 5", 130), ("kill -TERM $PPID; exit 5", 143),
    ])
    func `a command has a TMPDIR of its own, which goes with it however it ends`(end: String, status: Int) async throws
    {
        let scene = try ScriptScene("tidily")
        try scene.program("work", "mkdir \"$TMPDIR/TemporaryDirectory.x\"; echo \"$TMPDIR\"; \(end)")
        let run = try await scene.run("tidily", "work")
        #expect(run.status == status)
        let path = run.output.split(separator: "\n").first.map(String.init) ?? ""
        #expect(path.hasPrefix("/tmp/cs-") && path.utf8.count < 20)
        #expect(access(path, F_OK) == -1)
    }
}
