# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sphinx configuration for the site that antsibull-docs generates."""

import docutils.nodes

project = "unitcraft.systemd"
copyright = "The unitcraft.systemd contributors"
extensions = ["sphinx_antsibull_ext"]
html_theme = "furo"
html_theme_options = {
    "source_repository": "https://github.com/unitcraft/unitcraft.systemd/",
    "source_branch": "main",
    "source_directory": "docs/docsite/rst/",
    "top_of_page_buttons": [],
}
html_title = "unitcraft.systemd"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
highlight_language = "yaml"

ANSIBLE = "https://docs.ansible.com/ansible/latest/"
ANSIBLE_PAGES = {
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}


def link_to_ansible(_app, _environment, node, content):
    """Resolves labels of Ansible's own documentation, because the build uses no network."""
    target = node.get("reftarget", "")
    namespace, _dot, page = target.rpartition(".")
    if namespace == "ansible_collections.ansible.builtin":
        address = f"{ANSIBLE}collections/ansible/builtin/{page}.html"
    elif target in ANSIBLE_PAGES:
        address = ANSIBLE + ANSIBLE_PAGES[target]
    else:
        return None
    return docutils.nodes.reference("", "", content, refuri=address, internal=False)


def setup(app):
    """Called by Sphinx."""
    app.connect("missing-reference", link_to_ansible)
