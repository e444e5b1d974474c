import FoundationEssentials
import Glibc
import TestSupport

/// The files of this repository that are no Swift: scripts and documents.
enum Repository {
    static let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

    static func text(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: "\(root)/\(name)")), as: UTF8.self)
    }

    /// What stands in a document between two headings, or behind one; empty where there is no such heading.
    static func section(_ heading: String, of document: String, level: String = "## ") -> String {
        guard let start = document.firstRange(of: "\n\(level)\(heading)\n") else { return "" }
        let rest = document[start.upperBound...]
        return String(rest[..<(rest.firstRange(of: "\n\(level)")?.lowerBound ?? rest.endIndex)])
    }

    /// The fenced code of a document, by the word behind the fence.
    static func code(_ language: String, in document: String) -> [String] {
        var found: [String] = []
        var current: [Substring]?
        for line in document.split(separator: "\n", omittingEmptySubsequences: false) {
            let text = line.drop { $0 == " " }
            if let lines = current {
                if text.hasPrefix("```") {
                    found.append(lines.joined(separator: "\n"))
                    current = nil
                } else {
                    current = lines + [line]
                }
            } else if text == "```\(language)" {
                current = []
            }
        }
        return found
    }
}

/// A folder with copies of the scripts, and with programs in front of PATH that say what a test has them say.
struct ScriptScene {
    let directory: TemporaryDirectory

    init(_ scripts: String...) throws {
        directory = try TemporaryDirectory()
        for name in ["scripts", "programs"] { mkdir(directory.file(name), 0o700) }
        for name in scripts {
            try directory.writeProgram("scripts/\(name)", try Repository.text("scripts/\(name)"))
        }
    }

    func program(_ name: String, _ text: String) throws {
        try directory.writeProgram("programs/\(name)", "#!/bin/bash\n\(text)\n")
    }

    struct Outcome {
        let status: Int
        let output: String
        let errors: String
    }

    /// Runs a script of the copies, in their folder.
    func run(_ script: String, _ arguments: String..., environment: [String: String] = [:]) async throws -> Outcome {
        let path = "\(directory.file("programs")):/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        let run = try await LocalRun.of(
            "/bin/sh", ["-c", "cd \"$0\" && exec \"$@\"", directory.path, "scripts/\(script)"] + arguments,
            environment: ["PATH": path, "LC_ALL": "C.UTF-8"].merging(environment) { $1 })
        return Outcome(
            status: run.status, output: run.text, errors: String(decoding: run.stderr, as: UTF8.self))
    }
}
