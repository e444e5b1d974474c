import Testing

@testable import Supervisor

@Suite("User names for ssh")
struct UserLookupTests {
    private static let passwd = "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000::/home/ann:/bin/sh\n"

    private func notice(_ switches: String, userID: UInt32 = 1000) -> String? {
        UserLookup.notice(switches: switches, passwd: Self.passwd, userID: userID)
    }

    @Test(arguments: [
        "", "passwd: files\n", "# passwd: sss\npasswd:files\n", "passwd:\t compat # sss\n", "group: files sss\n",
        "passwd: files [NOTFOUND=return]\n",
    ])
    func `where files has the users, nothing is to be said`(switches: String) { #expect(notice(switches) == nil) }

    @Test(arguments: ["sss", "systemd", "ldap", "winbind"])
    func `another service is named, and that the user is in the file all the same`(service: String) {
        let told = notice("hosts: dns\npasswd:         files \(service)\n")
        #expect(told?.hasPrefix("note: transport: ") == true && told?.contains(" \(service), ") == true)
        #expect(told?.contains("which is enough") == true)
        let first = notice("passwd: \(service) files\n")
        #expect(first?.contains("may not work") == true)
    }

    @Test func `a user that only another service knows cannot use it`() {
        for switches in ["passwd: files sss\n", "passwd: sss\n", "passwd: files\n", ""] {
            let told = notice(switches, userID: 70_000)
            #expect(told?.hasPrefix("warning: transport: ") == true && told?.contains("70000") == true)
            #expect(told?.contains("\"mux\" does") == true)
        }
    }
}
