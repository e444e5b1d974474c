/// A redirection, such as `2>file` or `<<EOF`.
struct Redirection: Equatable, Sendable {
    enum Operation: String, CaseIterable {
        case input = "<"
        case output = ">"
        case append = ">>"
        case overwrite = ">|"
        case duplicateInput = "<&"
        case duplicateOutput = ">&"
        case readWrite = "<>"
        case both = "&>"
        case bothAppend = "&>>"
        case hereDocument = "<<"
        case hereDocumentLessTabs = "<<-"
        case hereString = "<<<"

        /// The longest operators first, because a shell reads the longest that fits.
        static let bySize = allCases.sorted { $0.rawValue.utf8.count > $1.rawValue.utf8.count }
    }

    var operation: Operation
    /// A file, a descriptor, a delimiter or the text of a here-string.
    var target: Word
    /// Index of the here-document's body in the scanner's `documents`.
    var document: Int?
}
