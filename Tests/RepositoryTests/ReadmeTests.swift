import TestSupport
import Testing

/// What README and the files in `contrib` promise.
@Suite("README and contrib")
struct ReadmeTests {
    @Test(arguments: ["README.md", "SECURITY.md", "CONTRIBUTING.md", "docs/CONFORMANCE.md"])
    func `every row of a table belongs to one, and has as many cells as its heading`(name: String) throws {
        let lines = try Repository.text(name).split(separator: "\n", omittingEmptySubsequences: false)
        var columns: Int?
        for (index, line) in lines.enumerated() {
            guard line.hasPrefix("|") else {
                columns = nil
                continue
            }
            let cells = line.replacing("\\|", with: "").count { $0 == "|" }
            if columns == nil {
                let next = index + 1 < lines.count ? lines[index + 1] : ""
                #expect(
                    next.hasPrefix("|") && next.allSatisfy { "|-: ".contains($0) }, "\(name):\(index + 1): no heading")
                columns = cells
            }
            #expect(cells == columns, "\(name):\(index + 1): \(line)")
        }
    }

    @Test func `commands and examples fit every user: no placeholder to clone, no fixed uid, the place of the config`()
        throws
    {
        let readme = try Repository.text("README.md")
        for word in ["/run/user/", "<you", "YOUR", "OWNER/", "example/claude-ssh-daemon"] {
            #expect(!readme.contains(word), "\(word)")
        }
        for text in Repository.code("sh", in: readme) + [try Repository.text("contrib/claude-ssh-daemon.service")] {
            #expect(!text.contains("~/.config") && !text.contains("%h/.config"), "XDG_CONFIG_HOME: \(text)")
            for line in text.split(separator: "\n") where line.contains("journalctl") {
                #expect(line.contains(" -o cat"), "\(line)")
            }
        }
        let unit = try Repository.text("contrib/claude-ssh-daemon.service")
        #expect(unit.contains("--config %E/claude-ssh-daemon/config.json"))
        for word in ["After a restart", "Runtime libraries"] {
            #expect(!Repository.section(word, of: readme, level: "### ").isEmpty, "\(word)")
        }
        #expect(Repository.section("Development", of: readme).contains("make test FILTER="))
    }

    @Test func `the links within a document and to files lead somewhere`() throws {
        for name in ["README.md", "SECURITY.md", "CONTRIBUTING.md"] {
            for link in try Repository.text(name).matches(of: /\]\(([^)#: ]*)(#[^) ]*)?\)/) {
                let file = link.output.1.isEmpty ? name : String(link.output.1)
                guard let text = try? Repository.text(file) else {
                    Issue.record("\(name): \(file) is not there")
                    continue
                }
                guard let anchor = link.output.2?.dropFirst() else { continue }
                let headings = text.split(separator: "\n").filter { $0.hasPrefix("#") }.map { heading in
                    heading.drop { "# ".contains($0) }.lowercased().filter {
                        $0.isLetter || $0.isNumber || "- ".contains($0)
                    }
                    .replacing(" ", with: "-")
                }
                #expect(headings.contains(String(anchor)), "\(name): \(file)#\(anchor)")
            }
        }
    }

    @Test func `the packages that README names for Swift and the build are those that scripts/prepare installs`() throws
    {
        let needs = Repository.section("Quick start", of: try Repository.text("README.md"))
        let prepare = try Repository.text("scripts/prepare")
        for package in [
            "libncurses6", "libsqlite3-0", "libxml2", "libcurl4", "g++", "pkg-config", "libseccomp-dev", "libmd-dev",
            "libre2-dev",
        ] {
            #expect(needs.contains("`\(package)`") && prepare.contains(package), "\(package)")
        }
    }
}
