import TestSupport
import Testing

/// `scripts/prepare`: what it says of a Swift that is not as a build needs it.
@Suite("scripts/prepare")
struct PrepareTests {
    /// What it says where `swift` is this script and apt-get can install nothing.
    private static func said(swift: String, ldd: String = "") async throws -> ScriptScene.Outcome {
        let scene = try ScriptScene("prepare")
        try scene.program("swift", swift)
        try scene.program("apt-get", "echo \"apt-get $*\" >&2; exit 100")
        try scene.program("sudo", "exec \"$@\"")
        if !ldd.isEmpty {
            try scene.program("ldd", ldd)
            for name in ["swift-build", "swift-frontend", "lld"] { try scene.program(name, "exit 0") }
        }
        return try await scene.run("prepare", "build")
    }

    private static func loader(_ library: String) -> String {
        "echo \"swift: error while loading shared libraries: \(library): cannot open shared object file: No such file or directory\" >&2; exit 127"
    }

    @Test(arguments: [
        ("libncurses.so.6", "libncurses6"), ("libsqlite3.so.0", "libsqlite3-0"), ("libxml2.so.2", "libxml2"),
        ("libz.so.1", "zlib1g"),
    ])
    func `a Swift that does not start is there, and the library and its package are named`(
        library: String, package: String
    ) async throws {
        let said = try await Self.said(swift: Self.loader(library))
        #expect(said.status == 1)
        #expect(said.errors.contains("/programs/swift, but does not start: missing \(library); install \(package)\n"))
        #expect(said.errors.contains("prepare: installing \(package)"))
        #expect(!said.errors.contains("found none"))
    }

    @Test func `a library that is not known is named as well, and nothing is installed`() async throws {
        let said = try await Self.said(swift: Self.loader("libodd.so.7"))
        #expect(said.status == 1)
        #expect(said.errors.contains("does not start: missing libodd.so.7; install the packages that have libodd.so.7"))
        #expect(!said.errors.contains("apt-get"))
    }

    @Test func `all that its programs miss is found at once`() async throws {
        let missing =
            "echo '\tlibxml2.so.2 => not found'; echo '\tlibcurl.so.4 => not found'; echo '\tlibc.so.6 => /lib/libc.so.6'"
        let said = try await Self.said(swift: "echo 'Swift version 6.3.1'", ldd: missing)
        #expect(said.errors.contains("missing libcurl.so.4 libxml2.so.2; install libcurl4 libxml2\n"), "\(said.errors)")
    }

    @Test func `another reason is told in its own words, an old Swift by its version, and an absent one as absent`()
        async throws
    {
        let broken = try await Self.said(swift: "echo 'swift: cannot execute: Exec format error' >&2; exit 126")
        #expect(broken.errors.contains("is there") && broken.errors.contains("Exec format error"), "\(broken.errors)")
        let old = try await Self.said(swift: "echo 'Swift version 5.10'")
        #expect(old.errors.contains("Swift 6.2 or newer must be in PATH, found 5.10 at "), "\(old.errors)")
        let scene = try ScriptScene("prepare")
        let none = try await scene.run("prepare", "build", environment: ["PATH": "/usr/bin:/bin"])
        #expect(none.status == 1 && none.errors.contains("found none; see swift.org/install"), "\(none.errors)")
    }
}
