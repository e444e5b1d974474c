import TestSupport
import Testing

/// `scripts/test` and `scripts/test-run`: what `make test` says, and that its status is true.
@Suite("scripts/test and scripts/test-run")
struct TestOutputTests {
    private static let good = """
        echo '◇ Test run started.'
        echo '◇ Test "a" started.'; echo '✔ Test "a" passed after 0.1 seconds.'
        echo '✔ Test "b" with 3 test cases passed after 0.1 seconds.'
        echo '➜ Test "c" skipped: "only root can mount a file system"'
        echo '✔ Test run with 3 tests in 1 suite passed after 0.1 seconds.'
        """

    private static func run(_ bundle: String, environment: [String: String] = [:]) async throws -> ScriptScene.Outcome {
        let scene = try ScriptScene("test-run")
        try scene.program("bundle", bundle)
        return try await scene.run("test-run", "logs/unit.log", "Unit", "bundle", environment: environment)
    }

    @Test func `a run that is well is one line of counts, and what was skipped with its reason`() async throws {
        let run = try await Self.run(Self.good)
        #expect(run.status == 0 && run.errors.isEmpty)
        #expect(
            run.output.hasPrefix(
                "\nUnit, skipped:\n  \"c\": \"only root can mount a file system\"\n\nUnit: 2 passed, 0 failed, 1 skipped ("
            ),
            "\(run.output)")
        #expect(try await Self.run(Self.good, environment: ["VERBOSE": "1"]).output.contains("◇ Test \"a\" started."))
    }

    @Test func `failures are shown with all that belongs to them, and where the rest is`() async throws {
        let run = try await Self.run(
            """
            echo '◇ Test run started.'; echo '✔ Test "a" passed after 0.1 seconds.'; echo 'noise of a test'
            echo '✘ Test "b" recorded an issue at B.swift:3:4: Expectation failed: x == y'; echo '↳ the comment'
            echo '✔ Test "c" passed after 0.1 seconds.'; echo 'more noise'
            echo '✘ Test "b" failed after 0.2 seconds with 1 issue.'
            echo '✘ Test run with 3 tests in 1 suite failed after 0.2 seconds with 1 issue.'; exit 1
            """)
        #expect(run.status == 1)
        for line in ["B.swift:3:4: Expectation failed: x == y", "↳ the comment", "The whole output: logs/unit.log"] {
            #expect(run.output.contains(line), "\(run.output)")
        }
        #expect(run.output.contains("Unit: 2 passed, 1 failed, 0 skipped") && !run.output.contains("noise"))
    }

    @Test func `a run that ran nothing has failed`() async throws {
        let run = try await Self.run("echo '✔ Test run with 0 tests in 0 suites passed after 0.1 seconds.'")
        #expect(run.status == 1 && run.output.contains("No test ran.") && run.output.contains("0 passed, 1 failed"))
    }

    @Test func `a process that dies before its tests are done has failed, and they are named`() async throws {
        for end in ["kill -SEGV $$", "exit 0"] {
            let run = try await Self.run("echo '◇ Test \"a\" started.'; echo 'Fatal error: Index'; \(end)")
            #expect(run.status == 1)
            for line in ["before its tests did", "\"a\"", "Fatal error: Index", "0 passed, 1 failed"] {
                #expect(run.output.contains(line), "\(run.output)")
            }
        }
        let bad = try await Self.run(Self.good + "\nexit 4")
        #expect(bad.status == 1 && bad.output.contains("The process ended with 4."), "\(bad.output)")
    }

    /// A tree whose `swift build` leaves a bundle that says what it was asked for.
    private static func tree(build: String = "exit 0", endToEnd: String = "exit 0") throws -> ScriptScene {
        let scene = try ScriptScene("test", "test-run", "quietly")
        try scene.program("swift", "echo \"swift $*\" >>asked; \(build)")
        try scene.directory.writeProgram(
            "scripts/end-to-end", "#!/bin/bash\necho 5 0 1 >>\"$1/logs/counts\"\n\(endToEnd)\n")
        try #require(succeeds("/bin/mkdir", "-p", scene.directory.file("out/debug")))
        try scene.directory.writeProgram(
            "out/debug/xPackageTests.xctest",
            """
            #!/bin/bash
            echo "bundle $*" >>asked
            case "$*" in
            *--list-tests*) printf '%s\\n' 'UnitTests.ConfigTests/one()' 'UnitTests.OtherTests/two()' 'EndToEndTests.ConfigTests/three()' ;;
            *) \(good) ;;
            esac
            """)
        return scene
    }

    private static func asked(_ scene: ScriptScene) async throws -> [String] {
        try await LocalRun.of("/bin/cat", [scene.directory.file("asked")]).text.split(separator: "\n").map(String.init)
    }

    @Test func `all runs end in one closing line with their sums, and a failure of either is one of the whole`()
        async throws
    {
        let scene = try Self.tree()
        let run = try await scene.run("test", "out")
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output.hasSuffix("\ntests: 7 passed, 0 failed, 2 skipped\n"), "\(run.output)")
        #expect(try await Self.tree(endToEnd: "exit 1").run("test", "out").status == 1)
        let unbuilt = try await Self.tree(build: "echo 'x: error: no'; exit 1").run("test", "out")
        #expect(unbuilt.status == 1 && unbuilt.errors.contains("x: error: no") && !unbuilt.output.contains("tests:"))
    }

    @Test(arguments: [
        ("OtherTests", [true, false]), ("EndToEndTests", [false, true]), ("ConfigTests/(one|three)", [true, true]),
    ])
    func `FILTER runs what it matches, each in the run that it belongs to`(filter: String, runs: [Bool]) async throws {
        let scene = try Self.tree()
        let run = try await scene.run("test", "out", environment: ["FILTER": filter])
        #expect(run.status == 0)
        let ran = try await Self.asked(scene).filter { $0.contains("--filter \(filter)") }
        #expect(ran.contains { $0.contains(#"--skip ^EndToEndTests\."#) } == runs[0], "\(ran)")
        #expect(ran.contains { $0.contains(#"--skip ^(?!EndToEndTests\.)"#) } == runs[1], "\(ran)")
        #expect(run.output.contains("tests: \(runs.count { $0 } * 2) passed"))
    }

    @Test func `a FILTER that matches nothing has failed, and says how names look`() async throws {
        let scene = try Self.tree()
        let near = try await scene.run("test", "out", environment: ["FILTER": "configtests"])
        #expect(near.status == 1 && near.errors.contains("No test has a name that matches configtests."))
        #expect(
            near.errors.contains("Upper and lower case count") && near.errors.contains("UnitTests.ConfigTests/one()"))
        let far = try await scene.run("test", "out", environment: ["FILTER": "nothing"])
        #expect(far.status == 1 && far.errors.contains("Names are MODULE.SUITE/TEST"), "\(far.errors)")
    }
}
