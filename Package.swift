// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// A module of the worker: its folder under `Sources/Worker` is its privilege.
func workerModule(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/Worker/\(name)", swiftSettings: settings)
}

/// The tests of a module.
func moduleTests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(
        name: name, dependencies: dependencies + ["TestSupport"], exclude: exclude, swiftSettings: settings)
}

let package = Package(
    name: "claude-ssh-daemon",
    products: [
        .executable(name: "claude-ssh-daemon", targets: ["CommandLine"]),
        .executable(name: "claude-ssh-worker", targets: ["Worker"]),
        .executable(name: "claude-ssh-files", targets: ["FileBrokerMain"]),
        .executable(name: "claude-ssh-gate", targets: ["GateMain"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2")
    ],
    targets: [
        .target(name: "CLinux"),
        .target(name: "IPC", dependencies: ["CLibMD", "CLinux"], swiftSettings: settings),
        .target(
            name: "Sandbox", dependencies: ["CLinux", "CSeccomp"], exclude: ["CSeccomp"], swiftSettings: settings),

        .target(name: "JSON", swiftSettings: settings),

        .target(name: "Supervisor", dependencies: ["CLinux", "IPC", "JSON"], swiftSettings: settings),
        .executableTarget(
            name: "CommandLine",
            dependencies: [
                "CLinux", "IPC", "Supervisor", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings),

        .executableTarget(
            name: "Worker",
            dependencies: [
                "CConcurrency", "CLinux", "Guard", "IPC", "Sandbox", "Threads", "MCP", "SSH", "SFTP", "Tools",
            ],
            path: "Sources/Worker",
            exclude: ["CConcurrency", "CRE2", "Guard", "Threads", "MCP", "SSH", "SFTP", "Tools"],
            swiftSettings: settings),
        .target(name: "CConcurrency", path: "Sources/Worker/CConcurrency"),
        .systemLibrary(
            name: "CSeccomp", path: "Sources/Sandbox/CSeccomp", pkgConfig: "libseccomp",
            providers: [.apt(["libseccomp-dev"])]),
        .target(name: "CRE2", path: "Sources/Worker/CRE2", linkerSettings: [.linkedLibrary("re2")]),
        .systemLibrary(name: "CLibMD", pkgConfig: "libmd", providers: [.apt(["libmd-dev"])]),
        workerModule("Threads", ["CLinux"]),
        workerModule("MCP", ["IPC", "JSON"]),
        workerModule("SSH", ["CLinux", "Exec", "IPC"]),
        workerModule("SFTP", ["CLinux", "IPC", "SSH"]),
        workerModule("Guard", ["CRE2"]),
        workerModule("Tools", ["Guard", "IPC", "JSON", "Threads", "MCP", "SSH", "SFTP", "Policy"]),

        .target(name: "Policy", dependencies: ["IPC"], path: "Sources/Gate/Policy", swiftSettings: settings),
        .target(name: "Exec", dependencies: ["IPC", "Policy"], path: "Sources/Gate/Exec", swiftSettings: settings),
        .target(name: "SFTPFilter", path: "Sources/Gate/SFTPFilter", swiftSettings: settings),
        .target(
            name: "FileBroker", dependencies: ["CLinux", "IPC", "Sandbox"], exclude: ["Main"], swiftSettings: settings),
        .executableTarget(
            name: "FileBrokerMain", dependencies: ["CLinux", "FileBroker", "IPC", "Sandbox"],
            path: "Sources/FileBroker/Main", swiftSettings: settings),

        .target(name: "Mux", dependencies: ["CLinux", "IPC"], path: "Sources/Gate/Mux", swiftSettings: settings),
        .target(
            name: "Gate", dependencies: ["CLinux", "Exec", "IPC", "Mux", "Policy", "Sandbox", "SFTPFilter"],
            path: "Sources/Gate/Service",
            swiftSettings: settings),
        .executableTarget(
            name: "GateMain", dependencies: ["CLinux", "Gate", "IPC", "Sandbox"], path: "Sources/Gate/Main",
            swiftSettings: settings),

        .target(
            name: "TestSupport", dependencies: ["IPC", "JSON", "MCP"], path: "Tests/TestSupport",
            swiftSettings: settings),
        moduleTests("IPCTests", ["CLinux", "IPC"]),
        moduleTests("JSONTests", ["JSON"]),
        moduleTests("SupervisorTests", ["CProbes", "IPC", "JSON", "Sandbox", "Supervisor"]),
        moduleTests("ThreadsTests", ["Threads"]),
        moduleTests("MCPTests", ["JSON", "MCP"]),
        moduleTests("PolicyTests", ["IPC", "Policy", "Tools"], exclude: ["PolicyCorpus.tsv"]),
        moduleTests("ExecTests", ["Exec", "IPC", "Policy", "SSH"]),
        moduleTests("SSHTests", ["IPC", "SSH"]),
        moduleTests("SFTPTests", ["Exec", "IPC", "SFTP", "SFTPFilter", "SSH"]),
        moduleTests(
            "ToolsTests", ["Exec", "Guard", "IPC", "JSON", "MCP", "Policy", "SSH", "Threads", "Tools"]),
        moduleTests("FileBrokerTests", ["CLinux", "CProbes", "FileBroker", "IPC", "Sandbox"]),
        moduleTests(
            "GateTests", ["CLinux", "CProbes", "Exec", "Gate", "IPC", "Mux", "Policy", "Sandbox", "SFTPFilter"]),
        moduleTests("RepositoryTests", []),
        .target(name: "CProbes", path: "Tests/CProbes"),
        .target(name: "AttackProbe", path: "Tests/Attack/Probe"),
        .executableTarget(
            name: "FakeWorker", dependencies: ["AttackProbe", "CLinux", "IPC", "Sandbox"], path: "Tests/FakeWorker",
            swiftSettings: settings),
        .executableTarget(
            name: "FakeFileBroker", dependencies: ["CLinux", "IPC"], path: "Tests/FakeFileBroker",
            swiftSettings: settings),
        .executableTarget(
            name: "FakeGate", dependencies: ["CLinux", "IPC"], path: "Tests/FakeGate", swiftSettings: settings),
        .executableTarget(
            name: "FakeSSH", dependencies: ["AttackProbe"], path: "Tests/FakeSSH",
            // The sandbox lets an `ssh` read the libraries of the system, and Swift's are not among these.
            linkerSettings: [.unsafeFlags(["-static-stdlib"])]),
        .testTarget(
            name: "SandboxTests", dependencies: ["CLinux", "CProbes", "CSeccomp", "Sandbox", "TestSupport"],
            swiftSettings: settings),
        .executableTarget(
            name: "GuardBench", dependencies: ["Guard"], path: "Benchmarks/GuardBench", swiftSettings: settings),
        .executableTarget(
            name: "HostileSFTPServer", path: "Tests/HostileSFTPServer", swiftSettings: settings),
        .testTarget(
            name: "EndToEndTests", dependencies: ["AttackProbe", "CLinux", "IPC", "Mux", "TestSupport"],
            swiftSettings: settings),
    ],
    cxxLanguageStandard: .cxx17
)
