import IPC
import Testing

@testable import Policy
@testable import Tools

@Suite("base_dir")
struct BaseDirectoryTests {
    private func refusal(_ directory: String, base: String? = "/srv/app") -> String? {
        do throws(GateRefusal) {
            try BaseDirectory(base, host: "prod").judge(workingDirectory: directory)
            return nil
        } catch {
            return error.sentence
        }
    }

    @Test(arguments: [
        "/srv/app", "/srv/app/", "/srv/app/x", "//srv///app//x", "/srv/./app/.", "/srv/app/x/..", "/srv/app/x/../y/",
        "/srv/other/../app",
        "/../../srv/app", "/srv/app/...", "/srv/app/..x", "/srv/app/x y\n", "/srv/app/é",
    ])
    func `a path in the tree passes`(path: String) {
        #expect(refusal(path) == nil)
    }

    @Test(arguments: [
        "/", "/srv", "/srv/", "/srv/app2", "/srv/app2/x", "/srv/ap", "/srv/app/..", "/srv/app/../app2",
        "/srv/app/../../etc", "/srv/app/x/../..",
        "/srv/app/./../x", "/srv/app//..//..", "/srv/APP", "/etc", "/srv/app\\..", "/srv /app", "/srv/app ",
    ])
    func `a path out of the tree is refused`(path: String) {
        #expect(refusal(path)?.contains("is not in it") == true)
    }

    @Test(arguments: ["app", ".", "..", "srv/app", "~", "~/x", "./srv/app", " /srv/app", "\u{2F}\u{338}srv/app"])
    func `a path that is not absolute is refused`(path: String) {
        #expect(refusal(path)?.contains("Pass an absolute path in that tree") == true)
    }

    @Test func `a slash with a combining mark behind it separates nonetheless`() {
        for mark in ["\u{301}", "\u{338}", "\u{200D}", "\u{FE0F}"] {
            #expect(refusal("/srv/app/../\(mark)x") != nil)
            #expect(refusal("/srv/app/..\u{2F}\(mark)x/y") != nil)
            #expect(refusal("/srv/app/\(mark)x") == nil, "but such names may be used within")
        }
    }

    @Test func `names in different Unicode forms are different directories`() {
        #expect(refusal("/srv/caf\u{E9}", base: "/srv/caf\u{E9}") == nil)
        #expect(refusal("/srv/cafe\u{301}", base: "/srv/caf\u{E9}") != nil)
        #expect(refusal("/srv/caf\u{E9}/x", base: "/srv/cafe\u{301}") != nil)
    }

    @Test func `without a directory the refusal asks for one`() {
        #expect(refusal("") == "hosts.prod.base_dir is \"/srv/app\": pass \"cwd\", a directory in that tree.")
    }

    @Test func `without a base_dir everything passes`() {
        for path in ["", "/", "..", "~", "/etc"] { #expect(refusal(path, base: nil) == nil) }
    }

    @Test func `a base_dir is read as a path too`() {
        #expect(refusal("/srv/app/x", base: "/srv/./x/../app/") == nil)
        #expect(refusal("/srv/app2", base: "/srv/./x/../app/") != nil)
        for path in ["/", "/etc"] { #expect(refusal(path, base: "/") == nil) }
        #expect(refusal("", base: "/") != nil)
        #expect(refusal("etc", base: "/") != nil)
    }

    @Test func `a capability that is off names its host and key`() {
        #expect(
            GateRefusal(host: "prod", .capability(.exec)).sentence
                == "hosts.prod.capabilities.exec is false: this tool is switched off on \"prod\". Use another host, or ask "
                + "the user to set hosts.prod.capabilities.exec to true.")
    }
}
