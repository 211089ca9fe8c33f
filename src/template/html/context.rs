//! Where in a page some text ends.

/// The state of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum State {
    #[default]
    Text,
    Tag,
    AttrName,
    AfterName,
    BeforeValue,
    HtmlComment,
    /// Inside of `textarea` or `title`.
    Rcdata,
    Attr,
    Url,
    Srcset,
    Js,
    JsDoubleQuoted,
    JsSingleQuoted,
    JsTemplate,
    JsRegexp,
    JsBlockComment,
    JsLineComment,
    JsHtmlOpenComment,
    JsHtmlCloseComment,
    Css,
    CssDoubleQuoted,
    CssSingleQuoted,
    CssDoubleQuotedUrl,
    CssSingleQuotedUrl,
    CssUrl,
    CssBlockComment,
    CssLineComment,
    /// After `{{break}}` or `{{continue}}`.
    Dead,
}

impl State {
    /// Go's name, for error texts.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Text => "stateText",
            Self::Tag => "stateTag",
            Self::AttrName => "stateAttrName",
            Self::AfterName => "stateAfterName",
            Self::BeforeValue => "stateBeforeValue",
            Self::HtmlComment => "stateHTMLCmt",
            Self::Rcdata => "stateRCDATA",
            Self::Attr => "stateAttr",
            Self::Url => "stateURL",
            Self::Srcset => "stateSrcset",
            Self::Js => "stateJS",
            Self::JsDoubleQuoted => "stateJSDqStr",
            Self::JsSingleQuoted => "stateJSSqStr",
            Self::JsTemplate => "stateJSTmplLit",
            Self::JsRegexp => "stateJSRegexp",
            Self::JsBlockComment => "stateJSBlockCmt",
            Self::JsLineComment => "stateJSLineCmt",
            Self::JsHtmlOpenComment => "stateJSHTMLOpenCmt",
            Self::JsHtmlCloseComment => "stateJSHTMLCloseCmt",
            Self::Css => "stateCSS",
            Self::CssDoubleQuoted => "stateCSSDqStr",
            Self::CssSingleQuoted => "stateCSSSqStr",
            Self::CssDoubleQuotedUrl => "stateCSSDqURL",
            Self::CssSingleQuotedUrl => "stateCSSSqURL",
            Self::CssUrl => "stateCSSURL",
            Self::CssBlockComment => "stateCSSBlockCmt",
            Self::CssLineComment => "stateCSSLineCmt",
            Self::Dead => "stateDead",
        }
    }

    pub(super) const fn is_comment(self) -> bool {
        matches!(
            self,
            Self::HtmlComment
                | Self::JsBlockComment
                | Self::JsLineComment
                | Self::JsHtmlOpenComment
                | Self::JsHtmlCloseComment
                | Self::CssBlockComment
                | Self::CssLineComment
        )
    }

    pub(super) const fn is_script_literal(self) -> bool {
        matches!(
            self,
            Self::JsDoubleQuoted | Self::JsSingleQuoted | Self::JsTemplate | Self::JsRegexp
        )
    }

    pub(super) const fn is_in_tag(self) -> bool {
        matches!(
            self,
            Self::Tag | Self::AttrName | Self::AfterName | Self::BeforeValue | Self::Attr
        )
    }
}

/// What ends an attribute's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Delim {
    #[default]
    None,
    Double,
    Single,
    SpaceOrTagEnd,
}

impl Delim {
    /// The characters that end the value.
    pub(super) const fn ends(self) -> &'static [u8] {
        match self {
            Self::None => b"",
            Self::Double => b"\"",
            Self::Single => b"'",
            Self::SpaceOrTagEnd => b" \t\n\x0c\r>",
        }
    }
}

/// How much of a URL has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum UrlPart {
    #[default]
    None,
    PreQuery,
    QueryOrFragment,
    Unknown,
}

/// What a slash in JavaScript begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Slash {
    #[default]
    Regexp,
    Division,
    Unknown,
}

/// What kind of value the attribute takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Attr {
    #[default]
    None,
    Script,
    ScriptType,
    Style,
    Url,
    Srcset,
}

impl Attr {
    pub(super) const fn start_state(self) -> State {
        match self {
            Self::None | Self::ScriptType => State::Attr,
            Self::Script => State::Js,
            Self::Style => State::Css,
            Self::Url => State::Url,
            Self::Srcset => State::Srcset,
        }
    }
}

/// Elements whose content is not HTML.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Element {
    #[default]
    None,
    Script,
    Style,
    Textarea,
    Title,
}

impl Element {
    pub(super) const fn content(self) -> State {
        match self {
            Self::None => State::Text,
            Self::Script => State::Js,
            Self::Style => State::Css,
            Self::Textarea | Self::Title => State::Rcdata,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Script => "script",
            Self::Style => "style",
            Self::Textarea => "textarea",
            Self::Title => "title",
        }
    }
}

/// Where in a page we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Context {
    pub state: State,
    pub delim: Delim,
    pub url_part: UrlPart,
    pub slash: Slash,
    pub attr: Attr,
    pub element: Element,
}

impl Context {
    /// A context that has nothing but a state.
    pub(super) fn of(state: State) -> Self {
        Self {
            state,
            ..Self::default()
        }
    }

    /// The name of a template that runs in this context.
    pub(super) fn variant(self, name: &str) -> String {
        if self.state == State::Text {
            return name.to_owned();
        }
        let mut out = format!("{name}$htmltemplate_{}", self.state.name());
        let parts = [
            match self.delim {
                Delim::None => "",
                Delim::Double => "_delimDoubleQuote",
                Delim::Single => "_delimSingleQuote",
                Delim::SpaceOrTagEnd => "_delimSpaceOrTagEnd",
            },
            match self.url_part {
                UrlPart::None => "",
                UrlPart::PreQuery => "_urlPartPreQuery",
                UrlPart::QueryOrFragment => "_urlPartQueryOrFrag",
                UrlPart::Unknown => "_urlPartUnknown",
            },
            match self.slash {
                Slash::Regexp => "",
                Slash::Division => "_jsCtxDivOp",
                Slash::Unknown => "_jsCtxUnknown",
            },
            match self.attr {
                Attr::None => "",
                Attr::Script => "_attrScript",
                Attr::ScriptType => "_attrScriptType",
                Attr::Style => "_attrStyle",
                Attr::Url => "_attrURL",
                Attr::Srcset => "_attrSrcset",
            },
            match self.element {
                Element::None => "",
                Element::Script => "_elementScript",
                Element::Style => "_elementStyle",
                Element::Textarea => "_elementTextarea",
                Element::Title => "_elementTitle",
            },
        ];
        out.extend(parts);
        out
    }

    /// The context after transitions that read nothing: an action after `href=` begins a value.
    pub(super) fn nudged(mut self) -> Self {
        match self.state {
            State::Tag => self.state = State::AttrName,
            State::BeforeValue => {
                self.state = self.attr.start_state();
                self.delim = Delim::SpaceOrTagEnd;
                self.attr = Attr::None;
            }
            State::AfterName => {
                self.state = State::AttrName;
                self.attr = Attr::None;
            }
            _ => {}
        }
        self
    }

    /// Go's print of a context, for error texts.
    pub(super) fn describe(self) -> String {
        let delim = match self.delim {
            Delim::None => "delimNone",
            Delim::Double => "delimDoubleQuote",
            Delim::Single => "delimSingleQuote",
            Delim::SpaceOrTagEnd => "delimSpaceOrTagEnd",
        };
        let url_part = match self.url_part {
            UrlPart::None => "urlPartNone",
            UrlPart::PreQuery => "urlPartPreQuery",
            UrlPart::QueryOrFragment => "urlPartQueryOrFrag",
            UrlPart::Unknown => "urlPartUnknown",
        };
        let slash = match self.slash {
            Slash::Regexp => "jsCtxRegexp",
            Slash::Division => "jsCtxDivOp",
            Slash::Unknown => "jsCtxUnknown",
        };
        let attr = match self.attr {
            Attr::None => "attrNone",
            Attr::Script => "attrScript",
            Attr::ScriptType => "attrScriptType",
            Attr::Style => "attrStyle",
            Attr::Url => "attrURL",
            Attr::Srcset => "attrSrcset",
        };
        let element = match self.element {
            Element::None => "elementNone",
            Element::Script => "elementScript",
            Element::Style => "elementStyle",
            Element::Textarea => "elementTextarea",
            Element::Title => "elementTitle",
        };
        format!(
            "{{{} {delim} {url_part} {slash} [] {attr} {element} <nil>}}",
            self.state.name()
        )
    }
}
